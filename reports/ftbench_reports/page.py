"""The page as text: one offline HTML document, complete without a script, everything escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ftbench
from ftbench import percent, point_interval, share_interval
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .board import STATUS, Board
from .cards import cheapest, price, unscored
from .charts import curves, pareto, swatch
from .columns import cell, flagged, methods, spent, uncertain, unmeasured, whole
from .embedded import embedded
from .errors import calibration, class_table, mistakes, slice_table
from .heat import heat_map
from .palette import Look, definitions, looks, style
from .prose import left_out, protocol, statistics
from .rows import forest, rank_chart
from .trials import COMPARED, over_time, phases, settings_table, trial_table
from .tuning import change_table, choice_table, rate_curves, sentences, tuned_targets, tuning_notes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Contender, Summary, Target

    from .figure import Figure

_TEMPLATES = Path(__file__).parent / "templates"
_COSTS = {
    "trainable_parameters": "What trains",
    "peak_allocated_memory": "Device memory while training",
    "peak_tensor_bytes": "Peak tensor bytes of a step",
    "peak_host_memory": "Host memory while training",
    "throughput": "Throughput while training",
    "flops_per_step": "FLOPs of a step",
    "energy": "Energy",
}


REFRESH = 5
"""Seconds after which a page of a run that goes on reads itself again."""


def render(summary: Summary, *, live: bool = False) -> str:
    """Give the page as text; where `live`, it reads itself again every few seconds."""
    sheet = style() + (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    script = (_TEMPLATES / "page.js").read_text(encoding="utf-8")
    page = Page(summary)
    text: str = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            **page.values(),
            version=ftbench.__version__,
            refresh=REFRESH if live else 0,
            definitions=Markup(definitions()),  # noqa: S704 - our own
            style=Markup(sheet),  # noqa: S704 - our own file
            style_hash=_hash(sheet),
            script=Markup(script),  # noqa: S704 - our own file
            script_hash=_hash(script),
            embedded=Markup(embedded(summary, page.looks)),  # noqa: S704 - escaped for where it stands
            ended=STATUS,
            cell=cell,
            uncertain=uncertain,
            unmeasured=unmeasured,
            spent=spent,
            flagged=flagged,
            methods=methods,
            percent=percent,
            share=share_interval,
            swatch=swatch,
        )
    )
    return text.lstrip()


@cache
def _environment() -> Environment:
    """Give what reads the templates; each is read once."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Page:
    """What the template asks for."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self.looks: Mapping[str, Look] = looks(summary.strategies)

    def values(self) -> dict[str, Any]:
        """Give what stands in the template under its name."""
        board = Board(self.summary, self.looks)
        order = list(dict.fromkeys(name for target in self.summary.targets for c in target.contenders for name in c.phases))
        found = {
            "summary": self.summary, "looks": self.looks, "board": board, "legend": self.legend, "unscored": unscored(self.summary, board),
            "statuses": sorted(self.summary.statuses.items(), key=lambda found: (found[0] != "ok", found[0])),
            "modalities": list(dict.fromkeys(target.modality for target in self.summary.targets)),
            "families": sorted({_family(c.label, t) for t in self.summary.targets for c in t.contenders}), "family": _family,
            "measurements": self.measurements, "lower": _lower, "paretos": self.paretos, "heat": heat_map(self.summary),
            "forests": [found for target in self.summary.targets if (found := forest(target, self.looks))],
            "ranks": rank_chart(self.summary.ranking, self.looks), "learning": self.learning,
            "analysed": [(target, errors) for target in self.summary.targets for errors in target.errors],
            "most_matrices": 12, "calibration": calibration, "mistakes": mistakes, "slice_table": slice_table, "class_table": class_table,
            "sequences": [t for t in self.summary.targets if t.is_sequence],
            "price": price, "cheapest": cheapest, "prose": [protocol(self.summary), statistics(self.summary), left_out(self.summary)],
            "timed": [found for target in self.summary.targets if (found := phases(target, order))],
            "sampled": [found for target in self.summary.targets for found in over_time(self.summary, target, self.looks)],
            "different": [(target, table) for target in self.summary.targets if (table := settings_table(target))[1]],
            "tuned": tuned_targets(self.summary), "tuning_sentences": sentences, "change_table": change_table, "choice_table": choice_table,
            "tuning_notes": tuning_notes, "rate_curves": rate_curves,
            "compared": COMPARED, "trial_table": trial_table, "task_cell": self.task_cell, "moved": _moved,
        }  # fmt: skip
        return {**found, "sections": _sections(found)}

    @cached_property
    def paretos(self) -> list[Figure]:
        """Quality against cost, a figure a task."""
        return [found for target in self.summary.targets if (found := pareto(target, _COSTS, self.looks))]

    @cached_property
    def learning(self) -> list[Figure]:
        """Training losses, a figure a task."""
        return [found for target in self.summary.targets for task in target.tasks if (found := curves(target, task, self.looks))]

    @cached_property
    def legend(self) -> Markup:
        """Who is drawn how."""
        items = [Markup("<li>{}{}</li>").format(swatch(look), label) for label, look in self.looks.items()]
        return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))

    def measurements(self, target: Target) -> dict[str, Any]:
        """Give every measurement of a task as a table: a row each, a column a contender."""
        there = [c for c in target.contenders if c.quantities]
        names = list(dict.fromkeys(name for c in there for name in c.quantities))
        taken = [name for name in names if any(c.quantities[name].estimate for c in there if name in c.quantities)]
        rows = [(name.replace("_", " "), *(whole(c.quantities[name]) if name in c.quantities else "" for c in there)) for name in taken]
        return {"headings": ("measurement", *(c.label for c in there)), "rows": rows}

    def task_cell(self, contender: Contender, task: str, name: str) -> str:
        """Write what is left of a task of a sequence."""
        found = contender.by_task.get(task, {}).get(name)
        return share_interval(found.estimate, found.unit) if found and found.estimate else ""


def _moved(contender: Contender, name: str) -> str:
    """Write how far scores moved, in points of shares."""
    found = contender.quantities.get(name)
    return point_interval(found.estimate, found.unit) if found and found.estimate else "–"


def _family(label: str, target: Target) -> str:
    """Give the plugin whose strategy it is: `lora` of `lora-r16`."""
    return next((c.use for c in target.contenders if c.label == label), "")


def _lower(target: Target) -> bool:
    return any(c.quantities[target.primary].direction == "lower" for c in target.contenders if target.primary in c.quantities)


def _sections(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    there = [
        ("verdict", "Verdict", True), ("leaderboard", "Leaderboard", True), ("cost", "Cost", found["paretos"]),
        ("heat", "Tasks", found["heat"]), ("differences", "Differences", found["forests"]),
        ("tuning", "Tuning", found["tuned"]),
        ("ranks", "Ranks", found["ranks"] or found["summary"].ranking.reason), ("curves", "Curves", found["learning"]),
        ("errors", "Errors", found["analysed"]), ("retention", "Retention", found["sequences"]), ("settings", "Settings", found["different"]),
        ("trials", "Trials", True), ("provenance", "Methods", True), ("reproduce", "Reproduce", True),
    ]  # fmt: skip
    return [(name, heading) for name, heading, shown in there if shown]
