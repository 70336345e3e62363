"""The page as text: one offline HTML document, complete without a script, everything escaped."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import ftbench
from ftbench import against, percent, quantity, share_interval, share_range
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .axes import Scale
from .charts import interval_bar, loss_chart, pareto_chart, swatch
from .columns import cell, columns, flagged, methods, reason, spent, uncertain, unmeasured
from .palette import Look, looks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Contender, Summary, Target

_TEMPLATES = Path(__file__).parent / "templates"
_COSTS = (
    ("trainable_parameters", "What trains"),
    ("peak_allocated_memory", "Device memory while training"),
    ("peak_host_memory", "Host memory while training"),
    ("throughput", "Throughput while training"),
    ("energy", "Energy"),
)


def render(summary: Summary) -> str:
    """Give the page as text."""
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    template = environment.get_template("page.html.jinja")
    page = _Page(summary)
    return template.render(
        summary=summary,
        version=ftbench.__version__,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash="sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        looks=page.looks,
        columns=columns,
        cell=cell,
        reason=reason,
        uncertain=uncertain,
        unmeasured=unmeasured,
        spent=spent,
        flagged=flagged,
        methods=methods,
        percent=percent,
        share_range=share_range,
        fronts=page.fronts,
        swatch=lambda look: Markup(swatch(look)),  # noqa: S704 - drawn from numbers and escaped labels
        bar=page.bar,
        against=page.against,
        legend=page.legend,
        paretos=page.paretos,
        curves=page.curves,
        task_cell=page.task_cell,
        phase_names=page.phase_names,
        seconds=page.seconds,
    )


class _Page:
    """What the template asks for."""

    def __init__(self, summary: Summary) -> None:
        self.looks: Mapping[str, Look] = looks(summary.strategies)

    def bar(self, target: Target, contender: Contender) -> Markup:
        estimates = [c.quantities[target.primary].estimate for c in target.contenders if target.primary in c.quantities]
        means = [e.mean for e in estimates if e is not None]
        found = contender.quantities[target.primary].estimate
        assert found is not None
        scale = Scale.over(means, 6, 114)
        return Markup(interval_bar(found, scale, self.looks[contender.label]))  # noqa: S704

    def against(self, target: Target, contender: Contender) -> str:
        if contender.label == target.baseline:
            return "baseline"
        difference = contender.against_baseline
        return against(difference) if difference else ""

    def fronts(self, contender: Contender) -> str:
        """Say on which fronts it stands, and how often it would with other seeds."""
        named = ((cost.replace("_", " "), contender.front_chances.get(cost)) for cost in sorted(contender.fronts))
        return ", ".join(f"{cost} ({100 * chance:.0f} % of draws of seeds)" if chance is not None else cost for cost, chance in named)

    def legend(self, target: Target) -> Markup:
        items = [Markup("<li>{}{}</li>").format(Markup(swatch(self.looks[c.label])), c.label) for c in target.contenders]  # noqa: S704
        return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))

    def paretos(self, target: Target) -> list[tuple[str, Markup]]:
        drawn = [(caption, pareto_chart(target, cost, self.looks)) for cost, caption in _COSTS]
        return [(caption, Markup(chart)) for caption, chart in drawn if chart]  # noqa: S704

    def curves(self, target: Target) -> list[tuple[str, Markup]]:
        drawn = [
            (f"{task}: training loss ({_loss_unit(target, task)}), mean and range over seeds", loss_chart(target, task, self.looks))
            for task in target.tasks
        ]
        return [(caption, Markup(chart)) for caption, chart in drawn if chart]  # noqa: S704

    def task_cell(self, contender: Contender, task: str, name: str) -> str:
        found = contender.by_task.get(task, {}).get(name)
        return share_interval(found.estimate) if found and found.estimate else ""

    def phase_names(self, target: Target) -> list[str]:
        return list(dict.fromkeys(name for c in target.contenders for name in c.phases))

    def seconds(self, contender: Contender, name: str) -> str:
        return quantity(contender.phases[name].mean, "s") if name in contender.phases else ""


def _loss_unit(target: Target, task: str) -> str:
    """Give the unit of a task's loss, as its scores on the test split have it."""
    readings = ((contender.by_task.get(task) or contender.quantities).get("loss") for contender in target.contenders)
    return next((reading.unit for reading in readings if reading is not None), "nat")
