"""Render the files of a site from a computed leaderboard: pages, tables and badges."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ftbench.reporting import percent, quantity
from markupsafe import Markup

from ..board import STATUS, Board
from ..charts import swatch
from ..columns import uncertain
from ..headline import headlines
from ..page import Page, render
from ..palette import Look, definitions, families_of, family_legend, looks, style
from ..rows import rank_chart
from ..switches import grids
from ..templating import content_hash, environment, lean
from ..trials import trial_table
from .addresses import badge_file, group_pages, report_folder, run_page, strategy_pages
from .badge import badge
from .data_tables import DataTable
from .dates import day, moment
from .history import history
from .index import index_table, task_rows
from .strategy import sentence, standings, strategy_table, strips
from .suite import board_table, runs_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ftbench.reporting import Group, Leaderboard, PublishedRun, Series, TaskColumn

    from ..board import Lost
    from ..figure import Figure
    from .index import TaskRow


class Site:
    """The files of a site, and the values of their templates."""

    def __init__(self, board: Leaderboard) -> None:
        self.board = board
        self.runs: Mapping[str, PublishedRun] = {run.name: run for run in board.runs}
        self.families = _families(board)
        labels = [label for group in board.groups for label in group.summary.strategies]
        labels += [c.label for group in board.groups for target in group.summary.targets for c in target.references]
        labels += [one.contender for one in board.series]
        self.looks: Mapping[str, Look] = looks(list(dict.fromkeys(labels)), self.families)
        self.strategies = strategy_pages(label for group in board.groups for label in group.sources)
        self.groups = group_pages(board.groups)
        self.screens = {group.fingerprint.key: Page(group.summary, self.looks) for group in board.groups}

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield path and text of every file."""
        yield "index.html", self._page("index", "", "Leaderboard", self._about())
        yield from index_table(
            [(group, row) for group in self.board.groups for row in self.rows[group.fingerprint.key]], self.groups
        ).files()
        yield from runs_table("runs", self.board.runs).files()
        for group in self.board.groups:
            yield from self._group(group)
        for label, path in self.strategies.items():
            yield from self._strategy(label, path)
        for run in self.board.runs:
            yield from self._run(run)

    # -- pages ---------------------------------------------------------------------------------------------------------

    def _group(self, group: Group) -> Iterator[tuple[str, str]]:
        path, screen = self.groups[group.fingerprint.key], self.screens[group.fingerprint.key]
        series = [
            one
            for one in self.board.series
            if (one.suite, one.device, one.measuring)
            == (group.fingerprint.suite, group.fingerprint.device, group.fingerprint.measuring)
        ]
        first = screen.first_screen()
        values = {
            **first,
            **screen.leaderboard(),
            "group": group,
            "stem": path.removesuffix(".html"),
            "links": {
                c.label: f"../{self.strategies[c.strategy]}"
                for target in group.summary.targets
                for c in target.contenders
            },
            "figures": self._histories(series, group),
            "ranks": rank_chart(group.summary.ranking, self.looks),
            "badge": badge(group, self.looks),
            "badge_path": badge_file(path),
            "others": [
                one
                for one in self.board.groups
                if one.fingerprint.suite == group.fingerprint.suite and one is not group
            ],
            "uncertain": uncertain,
        }
        sheet = screen.board.style() + lean("report.css") + screen.switches
        about = " ".join(text for _, text in first["headlines"][:1])
        yield path, self._page("suite", "../", group.suite, about, sheet, **values)
        stem = path.removesuffix(".html")
        yield from board_table(stem, group).files()
        yield from runs_table(f"{stem}-runs", [self.runs[name] for name in group.runs]).files()
        for figure, name in zip(values["figures"], _numbered(f"{stem}-history", len(values["figures"])), strict=True):
            yield from DataTable(name, figure.headings, figure.rows).files()
        yield badge_file(path), values["badge"]

    def _strategy(self, label: str, path: str) -> Iterator[tuple[str, str]]:
        found = standings(label, self.board.groups, self.runs)
        settings = {
            name.removeprefix("strategy."): value
            for one in found[:1]
            for name, value in one.contender.settings.items()
            if name.startswith("strategy.")
        }
        figures = [
            (f"{group.suite}, {group.fingerprint.device}", figure)
            for group in self.board.groups
            for figure in self._histories([one for one in self.board.series if one.strategy == label], group)
        ]
        about = sentence(found)
        stem = path.removesuffix(".html")
        values: dict[str, Any] = {
            "label": label,
            "stem": stem,
            "strips": strips(found, self.looks),
            "settings": settings,
            "figures": figures,
        }
        family = (self.families or {}).get(label, "other")
        yield path, self._page("strategy", "../", label, about, family=family, **values)
        yield from strategy_table(stem, found, self.groups).files()
        for (_, figure), name in zip(figures, _numbered(f"{stem}-history", len(figures)), strict=True):
            yield from DataTable(name, figure.headings, figure.rows).files()

    def _run(self, run: PublishedRun) -> Iterator[tuple[str, str]]:
        path = run_page(run.name)
        group = next(group for group in self.board.groups if run.name in group.runs)
        tables = [(target, *trial_table(run.summary, target)) for target in run.summary.targets]
        stems = _numbered(f"{path.removesuffix('.html')}-trials", len(tables))
        about = f"A run of {run.suite} on {run.fingerprint.device}, {day(run.finished)}."
        yield (
            path,
            self._page(
                "run", "../", run.name, about, run=run, group=group, tables=list(zip(stems, tables, strict=True))
            ),
        )
        for stem, (_, headings, rows) in zip(stems, tables, strict=True):
            yield from DataTable(stem, tuple(headings), tuple(tuple(row) for row in rows)).files()
        yield f"{report_folder(run.name)}/report.html", render(run.summary)

    def _page(self, name: str, root: str, title: str, about: str, sheet: str = "", **values: Any) -> str:
        sheet = style() + (sheet or lean("report.css") + grids()) + lean("site/site.css")
        text: str = (
            environment()
            .get_template(f"site/{name}.html.jinja")
            .render(
                site=self,
                board_=self.board,
                root=root,
                title=title,
                about=about,
                definitions=Markup(definitions()),  # noqa: S704 - our own
                style=Markup(sheet),  # noqa: S704 - our own
                style_hash=content_hash(sheet),
                ended=STATUS,
                day=day,
                moment=moment,
                swatch=swatch,
                percent=percent,
                quantity=quantity,
                run_page=run_page,
                measuring=measuring,
                **values,
            )
        )
        return text.lstrip()

    # -- content of the pages ------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> dict[str, list[TaskRow]]:
        """Rows of the index by the key of their group."""
        return {
            group.fingerprint.key: task_rows(
                group, self.screens[group.fingerprint.key].first_screen()["cards"], self.runs, self.looks
            )
            for group in self.board.groups
        }

    @property
    def suites(self) -> int:
        """Number of suites."""
        return len({group.fingerprint.suite for group in self.board.groups})

    @property
    def legend(self) -> list[tuple[str, int]]:
        """Families of all strategies that are ranked, with their colours; empty if none is known."""
        return family_legend(self.families.get(label, "other") for label in self.ranked) if self.families else []

    @cached_property
    def ranked(self) -> set[str]:
        """Labels of the strategies that are compared: all but references such as the untrained model."""
        return {
            c.strategy for group in self.board.groups for target in group.summary.targets for c in target.contenders
        }

    @property
    def statuses(self) -> list[tuple[str, int]]:
        """Status and number of trials of all runs, those with a score first."""
        return sorted(self.board.statuses.items(), key=lambda found: (found[0] != "ok", found[0]))

    @property
    def failed(self) -> bool:
        """Whether any trial failed."""
        return any(status not in ("ok", "not-applicable") for status, _ in self.statuses)

    def strategy_of(self, target: TaskColumn, label: str) -> str:
        """Return the page of a contender's strategy."""
        return self.strategies[next(c.strategy for c in target.contenders if c.label == label)]

    def lost(self, run: PublishedRun, target: TaskColumn) -> list[Lost]:
        """Return the trials of a run without a score, grouped by cause."""
        return Board(run.summary, self.looks).lost(target)

    def _about(self) -> str:
        """Write what to take on the newest runs, for previews of links."""
        found = [f"{group.suite}: {headlines(group.summary, ())[0][1]}" for group in self.board.groups[:3]]
        return " ".join(found) or "No run has been published yet."

    def _histories(self, series: Sequence[Series], group: Group) -> list[Figure]:
        """Draw the series of a group's suite, device model and measuring version, a figure per task column."""
        print_ = group.fingerprint
        by_target: dict[str, list[Series]] = {}
        for one in series:
            if (one.suite, one.device, one.measuring) == (print_.suite, print_.device, print_.measuring):
                by_target.setdefault(one.target, []).append(one)
        answers = {target.label: target for target in group.summary.targets}
        return [
            figure
            for target, some in by_target.items()
            if (figure := history(some, self.runs, self.looks, answers.get(target)))
        ]


def measuring(version: int | None) -> str:
    """Name a version of the measurements."""
    return "measuring version not recorded" if version is None else f"measuring version {version}"


def _families(board: Leaderboard) -> dict[str, str] | None:
    """Return the family of each strategy and contender by its label; None if no family is known."""
    found: dict[str, str] = {}
    for group in board.groups:
        for label, family in (families_of(group.summary) or {}).items():
            found.setdefault(label, family)
        for target in group.summary.targets:
            for contender in (*target.contenders, *target.references):
                found.setdefault(contender.strategy, contender.family)
    return found if set(found.values()) - {"other"} else None


def _numbered(stem: str, count: int) -> list[str]:
    return [f"{stem}-{number}" for number in range(1, count + 1)] if count > 1 else [stem] * count
