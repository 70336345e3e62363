"""Render the page: one offline HTML document, complete without JavaScript, with everything escaped."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections import defaultdict
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ftbench
from ftbench.reporting import percent, point_interval, share_interval
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .board import STATUS, Board
from .cards import cheapest, leader_costs, unscored
from .charts import curves, pareto, swatch
from .columns import cell, flagged, methods, spent, uncertain, unmeasured, with_interval
from .embedded import embedded
from .errors import calibration, class_table, mistakes, slice_table
from .heat import heat_map
from .palette import Look, definitions, looks, style
from .prose import left_out, protocol, statistics
from .rows import forest, rank_chart
from .trials import COMPARED, over_time, phase_legend, phases, settings_table, trial_table
from .tuning import change_table, choice_table, rate_curves, sentences, tuned_targets, tuning_notes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Summary
    from ftbench.reporting import Contender, TaskColumn

    from .figure import Figure

_TEMPLATES = Path(__file__).parent / "templates"
_COSTS = {
    "trainable_parameters": "Trained parameters",
    "peak_allocated_memory": "Device memory while training",
    "peak_tensor_bytes": "Peak tensor bytes of a step",
    "peak_host_memory": "Host memory while training",
    "throughput": "Throughput while training",
    "flops_per_step": "FLOPs of a step",
    "energy": "Energy",
}


REFRESH = 5
"""Seconds after which the page of a run in progress reloads."""


def render(summary: Summary, *, live: bool = False) -> str:
    """Return the page as text; if `live`, it reloads every few seconds."""
    page = Page(summary)
    sheet = style() + page.board.style() + page.diagonals() + _lean("page.css")
    script = _lean("page.js")
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
            embedded=Markup(embedded(summary, page.looks)),  # noqa: S704 - escaped for its position
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
    """Return the template environment, which reads each template once."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _lean(name: str) -> str:
    """Read a template file without its indentation and comment lines."""
    lines = (line.strip() for line in (_TEMPLATES / name).read_text(encoding="utf-8").splitlines())
    text = "\n".join(line for line in lines if line and not line.startswith("//"))
    return re.sub(r": (?=[^;{}]*[;}])", ":", re.sub(r" ?([{};,]) ?", r"\1", text)) if name.endswith(".css") else text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Page:
    """The values of the template of a page."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self.looks: Mapping[str, Look] = looks(summary.strategies)
        self.board = Board(summary, self.looks)

    def values(self) -> dict[str, Any]:
        """Return the values of the template by name."""
        board = self.board
        order = list(
            dict.fromkeys(name for target in self.summary.targets for c in target.contenders for name in c.phases)
        )
        found = {
            "summary": self.summary,
            "looks": self.looks,
            "board": board,
            "legend": self.legend,
            "unscored": unscored(self.summary, board),
            "statuses": sorted(self.summary.statuses.items(), key=lambda found: (found[0] != "ok", found[0])),
            "modalities": list(dict.fromkeys(target.modality for target in self.summary.targets)),
            "families": sorted({_family(c.label, t) for t in self.summary.targets for c in t.contenders}),
            "family": _family,
            "measurements": self.measurements,
            "lower": _lower,
            "paretos": self.paretos,
            "heat": heat_map(self.summary),
            "forests": [found for target in self.summary.targets if (found := forest(target, self.looks))],
            "ranks": rank_chart(self.summary.ranking, self.looks),
            "learning": self.learning,
            "analysed": [(target, errors) for target in self.summary.targets for errors in target.errors],
            "most_matrices": 4,
            "calibration": calibration,
            "mistakes": mistakes,
            "slice_table": slice_table,
            "class_table": class_table,
            "sequences": [t for t in self.summary.targets if t.is_sequence],
            "leader_costs": leader_costs,
            "cheapest": cheapest,
            "prose": [protocol(self.summary), statistics(self.summary), left_out(self.summary)],
            "timed": [found for target in self.summary.targets if (found := phases(target, order))],
            "phase_legend": phase_legend(order),
            "sampled": [
                found for target in self.summary.targets for found in over_time(self.summary, target, self.looks)
            ],
            "different": [(target, table) for target in self.summary.targets if (table := settings_table(target))[1]],
            "tuned": tuned_targets(self.summary),
            "tuning_sentences": sentences,
            "change_table": change_table,
            "choice_table": choice_table,
            "tuning_notes": tuning_notes,
            "rate_curves": rate_curves,
            "compared": COMPARED,
            "trial_table": trial_table,
            "task_cell": self.task_cell,
            "score_change": _score_change,
        }
        return {**found, "sections": _sections(found)}

    def diagonals(self) -> str:
        """Return CSS that marks the diagonal of every matrix."""
        of_classes = (
            matrix for target in self.summary.targets for c in target.contenders for matrix in c.confusion.values()
        )
        of_stages = (c.retention for target in self.summary.targets for c in target.contenders)
        most = max((len(matrix) for matrix in itertools.chain(of_classes, of_stages)), default=0)
        marked = ",".join(
            f".matrix tbody tr:nth-child({place}) td:nth-child({place + 1})" for place in range(1, most + 1)
        )
        return f"{marked}{{background:var(--tint);font-weight:650}}" if marked else ""

    @cached_property
    def paretos(self) -> list[Figure]:
        """Quality against cost, a figure per task column."""
        return [found for target in self.summary.targets if (found := pareto(target, _COSTS, self.looks))]

    @cached_property
    def learning(self) -> list[Figure]:
        """Training losses, a figure per task."""
        return [
            found
            for target in self.summary.targets
            for task in target.tasks
            if (found := curves(target, task, self.looks))
        ]

    @cached_property
    def legend(self) -> Markup:
        """The marker of each strategy."""
        items = [Markup("<li>{}{}</li>").format(swatch(look), label) for label, look in self.looks.items()]
        return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))

    def measurements(self, target: TaskColumn) -> dict[str, Any]:
        """Return all measurements of a task as a table: one row each, one column per contender."""
        there = [c for c in target.contenders if c.quantities]
        names = list(dict.fromkeys(name for c in there for name in c.quantities))
        taken = [name for name in names if any(c.quantities[name].estimate for c in there if name in c.quantities)]
        # Measurements that are equal for all contenders, such as accuracy and micro F1, share a row.
        equal: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in taken:
            equal[tuple(_measured(c, name) for c in there)].append(name.replace("_", " "))
        rows = [(", ".join(names), *values) for values, names in equal.items()]
        seeds = ("n, seeds", *(str(c.statuses.get("ok", 0)) for c in there))
        return {"headings": ("measurement", *(c.label for c in there)), "rows": [seeds, *rows]}

    def task_cell(self, contender: Contender, task: str, name: str) -> str:
        """Write the final score of a task of a sequence."""
        found = contender.by_task.get(task, {}).get(name)
        return share_interval(found.estimate, found.unit) if found and found.estimate else ""


def _measured(contender: Contender, name: str) -> str:
    """Write a measurement with its interval, and with its n if some seeds have no value."""
    found = contender.quantities.get(name)
    if found is None or found.estimate is None:
        return "" if found is None else "–"
    return with_interval(found) + (
        f", n = {found.estimate.n}" if found.estimate.n != contender.statuses.get("ok", 0) else ""
    )


def _score_change(contender: Contender, name: str) -> str:
    """Write by how much scores changed, in points for shares."""
    found = contender.quantities.get(name)
    return point_interval(found.estimate, found.unit) if found and found.estimate else "–"


def _family(label: str, target: TaskColumn) -> str:
    """Return the strategy's plugin name: `lora` for `lora-r16`."""
    return next((c.use for c in target.contenders if c.label == label), "")


def _lower(target: TaskColumn) -> bool:
    return any(
        c.quantities[target.primary].direction == "lower" for c in target.contenders if target.primary in c.quantities
    )


def _sections(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    there = [
        ("verdict", "Verdict", True),
        ("leaderboard", "Leaderboard", True),
        ("cost", "Cost", found["paretos"]),
        ("heat", "Tasks", found["heat"]),
        ("differences", "Differences", found["forests"]),
        ("tuning", "Tuning", found["tuned"]),
        ("ranks", "Ranks", found["ranks"] or found["summary"].ranking.reason),
        ("curves", "Curves", found["learning"]),
        ("errors", "Errors", found["analysed"]),
        ("retention", "Retention", found["sequences"]),
        ("settings", "Settings", found["different"]),
        ("trials", "Trials", True),
        ("provenance", "Methods", True),
        ("reproduce", "Reproduce", True),
    ]
    return [(name, heading) for name, heading, shown in there if shown]
