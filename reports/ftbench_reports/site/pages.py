"""Render the pages of a site from a computed leaderboard."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ftbench.reporting import percent, quantity
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..board import STATUS, Board
from ..charts import pareto, swatch
from ..columns import shown, uncertain, with_interval
from ..page import render
from ..palette import Look, definitions, looks, style
from ..rows import rank_chart
from ..trials import trial_table
from .addresses import report_folder, run_page, strategy_pages, suite_page
from .dates import day, moment
from .history import history

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ftbench.reporting import Contender, Group, Leaderboard, PublishedRun, Series, TaskColumn

    from ..board import Lost
    from ..figure import Figure

_TEMPLATES = Path(__file__).parent.parent / "templates"
_COSTS = {
    "trainable_parameters": "Trained parameters",
    "peak_allocated_memory": "Device memory while training",
    "peak_tensor_bytes": "Peak tensor bytes of a step",
    "throughput": "Throughput while training",
}

_FITTING = 3
"""Costs shown in tables; the page of the run has all of them."""


class Standing(NamedTuple):
    """A strategy's result in one task column of one group."""

    group: Group
    target: TaskColumn
    contender: Contender
    place: str
    score: str


class Leaders(NamedTuple):
    """The contender to take on a task column, and the others that could be the best."""

    target: TaskColumn
    pick: Contender | None
    """The contender to take; None if none has a score."""
    others: tuple[str, ...]
    """The others that could be the best; empty if there are too few seeds for a claim."""


class Site:
    """The values of the templates of a site."""

    def __init__(self, board: Leaderboard) -> None:
        self.board = board
        self.runs: Mapping[str, PublishedRun] = {run.name: run for run in board.runs}
        labels = dict.fromkeys(label for group in board.groups for label in group.summary.strategies)
        self.looks: Mapping[str, Look] = looks(
            [*labels, *(one.contender for one in board.series if one.contender not in labels)]
        )
        self.strategies = strategy_pages(label for group in board.groups for label in group.sources)
        self.suites: dict[str, list[Group]] = {}
        for group in board.groups:
            self.suites.setdefault(group.fingerprint.suite, []).append(group)

    def pages(self) -> Iterator[tuple[str, str]]:
        """Yield path and text of every page."""
        yield "index.html", self._page("index", "", "Leaderboard")
        for groups in self.suites.values():
            yield (
                self.suite_page(groups[0]),
                self._page("suite", "../", groups[0].suite, groups=groups, figures=self._histories(groups)),
            )
        for label, path in self.strategies.items():
            yield path, self._page("strategy", "../", label, label=label, **self._strategy(label))
        for run in self.board.runs:
            yield run_page(run.name), self._page("run", "../", run.name, run=run, group=self._group_of(run))
            yield f"{report_folder(run.name)}/report.html", render(run.summary)

    def _page(self, name: str, root: str, title: str, **values: Any) -> str:
        sheet = _sheet()
        text: str = (
            _environment()
            .get_template(f"site/{name}.html.jinja")
            .render(
                site=self,
                board=self.board,
                root=root,
                title=title,
                definitions=Markup(definitions()),  # noqa: S704 - our own
                style=Markup(sheet),  # noqa: S704 - our own
                style_hash=_hash(sheet),
                ended=STATUS,
                day=day,
                moment=moment,
                swatch=swatch,
                percent=percent,
                quantity=quantity,
                with_interval=with_interval,
                run_page=run_page,
                measuring=measuring,
                trial_table=trial_table,
                uncertain=uncertain,
                **values,
            )
        )
        return text.lstrip()

    # -- content of the pages ------------------------------------------------------------------------------------------

    def suite_name(self, group: Group) -> str:
        """Return the suite's name on this site, which all its runs share."""
        return self.suites[group.fingerprint.suite][0].suite

    def suite_page(self, group: Group) -> str:
        """Return the page of a group's suite."""
        return suite_page(self.suite_name(group), group.fingerprint.suite)

    def legend(self, groups: Sequence[Group]) -> Markup:
        """Return the look of each strategy of a suite."""
        labels = dict.fromkeys(label for group in groups for label in group.summary.strategies)
        items = [Markup("<li>{}{}</li>").format(swatch(self.looks[label]), label) for label in labels]
        return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))

    def table(self, group: Group) -> Board:
        """Return the rows of a group, as on the page of a run."""
        return Board(group.summary, self.looks)

    def lost(self, run: PublishedRun, target: TaskColumn) -> list[Lost]:
        """Return the trials of a run without a score, grouped by cause."""
        return Board(run.summary, self.looks).lost(target)

    def columns(self, group: Group) -> list[tuple[int, str]]:
        """Return index and heading of the costs shown."""
        columns = self.table(group).columns
        names = shown(columns)
        return [(place, column.heading) for place, column in enumerate(columns) if column.name in names][:_FITTING]

    def place(self, group: Group, target: TaskColumn, label: str) -> str:
        """Write the possible ranks of a contender; a dash if no claim is made."""
        found = group.places[target.label].get(label)
        return "–" if found is None else str(found[0]) if found[0] == found[1] else f"{found[0]}–{found[1]}"

    def lower(self, target: TaskColumn) -> bool:
        """Return whether a lower score is better."""
        return any(
            c.quantities[target.primary].direction == "lower"
            for c in target.contenders
            if target.primary in c.quantities
        )

    def leaders(self, group: Group) -> list[Leaders]:
        """Return the answer for each task column."""
        found = []
        for target in group.summary.targets:
            answer = target.answer
            pick = next((c for c in target.contenders if c.label == answer.pick), None)
            others = tuple(label for label in answer.possible if label != answer.pick) if answer.decided else ()
            found.append(Leaders(target, pick, others))
        return found

    def source(self, group: Group, target: TaskColumn, label: str) -> PublishedRun:
        """Return the run that a row comes from."""
        contender = next(c for c in target.contenders if c.label == label)
        return self.runs[group.sources[contender.strategy]]

    def strategy_page(self, target: TaskColumn, label: str) -> str:
        """Return the page of a contender's strategy."""
        return self.strategies[next(c.strategy for c in target.contenders if c.label == label)]

    def paretos(self, group: Group) -> list[Figure]:
        """Draw quality against cost, a figure per task column."""
        return [found for target in group.summary.targets if (found := pareto(target, _COSTS, self.looks))]

    def ranks(self, group: Group) -> Figure | None:
        """Draw the ranks over tasks."""
        return rank_chart(group.summary.ranking, self.looks)

    @property
    def statuses(self) -> list[tuple[str, int]]:
        """Return status and number of trials of all runs, those with a score first."""
        return sorted(self.board.statuses.items(), key=lambda found: (found[0] != "ok", found[0]))

    def _group_of(self, run: PublishedRun) -> Group:
        return next(group for group in self.board.groups if run.name in group.runs)

    def _histories(self, groups: list[Group]) -> list[tuple[str, list[Figure]]]:
        """Draw the history of a suite: a list of figures for each device model and measuring version."""
        suite = groups[0].fingerprint.suite
        return self._drawn([one for one in self.board.series if one.suite == suite])

    def _drawn(self, series: list[Series]) -> list[tuple[str, list[Figure]]]:
        by_device: dict[tuple[str, str], dict[str, list[Series]]] = {}
        for one in series:
            by_device.setdefault((one.device, measuring(one.measuring)), {}).setdefault(one.target, []).append(one)
        found = []
        for (device, version), targets in by_device.items():
            figures = [figure for some in targets.values() if (figure := history(some, self.runs, self.looks))]
            if figures:
                found.append((f"{device}, {version}", figures))
        return found

    def _strategy(self, label: str) -> dict[str, Any]:
        standings = [
            Standing(group, target, contender, self.place(group, target, contender.label), _written(target, contender))
            for group in self.board.groups
            for target in group.summary.targets
            for contender in target.contenders
            if contender.strategy == label
        ]
        suites = {one.group.fingerprint.suite: self.suite_name(one.group) for one in standings}
        histories = [
            (f"{name}, {heading}", figures)
            for suite, name in suites.items()
            for heading, figures in self._drawn(
                [one for one in self.board.series if (one.suite, one.strategy) == (suite, label)]
            )
        ]
        settings = {
            name.removeprefix("strategy."): value
            for one in standings[:1]
            for name, value in one.contender.settings.items()
            if name.startswith("strategy.")
        }
        return {"standings": standings, "figures": histories, "settings": settings}


def measuring(version: int | None) -> str:
    """Name a version of the measurements."""
    return "measuring version not recorded" if version is None else f"measuring version {version}"


def _scored(target: TaskColumn, contender: Contender) -> bool:
    found = contender.quantities.get(target.primary)
    return found is not None and found.estimate is not None


def _written(target: TaskColumn, contender: Contender) -> str:
    if _scored(target, contender):
        return with_interval(contender.quantities[target.primary])
    return ", ".join(f"{number} {STATUS.get(status, status)}" for status, number in sorted(contender.statuses.items()))


@cache
def _sheet() -> str:
    """Return the style sheet: that of a run's page, whose board is one of several here, with the site's additions."""
    # `:not(#_)` keeps the specificity of a selector by id.
    page = (_TEMPLATES / "page.css").read_text(encoding="utf-8").replace("#board", ".board table:not(#_)")
    return style() + page + (_TEMPLATES / "site" / "site.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
