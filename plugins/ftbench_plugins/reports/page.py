"""Render the page: one offline HTML document, complete without JavaScript, with everything escaped."""

from __future__ import annotations

import itertools
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ftbench
from ftbench.reporting import data_errors, percent, point_interval, share_interval
from markupsafe import Markup

from .board import STATUS, Board
from .cards import CROWD, HEADINGS, cards, preferences
from .charts import curves, swatch
from .columns import flagged, methods, spent, uncertain, unmeasured, with_interval
from .embedded import embedded
from .errors import calibration, class_table, mistakes, slice_table
from .headline import device, headlines
from .learning import warnings, winners
from .overview import overview
from .palette import Look, definitions, families_of, family_legend, looks, style
from .prose import left_out, over_tasks, protocol, statistics
from .rows import forest, rank_chart
from .switches import switches
from .templating import content_hash, environment, lean
from .track import axis_of
from .trials import COMPARED, over_time, phase_legend, phases, settings_table, trial_table
from .tuning import change_table, choice_table, rate_curves, tuned_targets, tuning_notes
from .tuning import sentences as tuning_sentences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Summary
    from ftbench.reporting import Contender, TaskColumn


_HARMLESS = frozenset({"ok", "not-applicable"})
"""Statuses of trials that did not fail."""


REFRESH = 5
"""Seconds after which the page of a run in progress reloads."""


def render(summary: Summary, *, live: bool = False) -> str:
    """Return the page as text; if `live`, it reloads every few seconds."""
    page = Page(summary)
    sheet = style() + page.board.style() + page.diagonals() + lean("report.css") + page.switches
    script = lean("page.js")
    text: str = (
        environment()
        .get_template("page.html.jinja")
        .render(
            **page.values(),
            version=ftbench.__version__,
            refresh=REFRESH if live else 0,
            definitions=Markup(definitions()),  # noqa: S704 - our own
            style=Markup(sheet),  # noqa: S704 - our own file
            style_hash=content_hash(sheet),
            script=Markup(script),  # noqa: S704 - our own file
            script_hash=content_hash(script),
            embedded=Markup(embedded(summary)),  # noqa: S704 - escaped for its position
            ended=STATUS,
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


class Page:
    """The values of the template of a page."""

    def __init__(self, summary: Summary, looks_of_all: Mapping[str, Look] | None = None) -> None:
        self.summary = summary
        self.families: Mapping[str, str] | None = families_of(summary)
        self.looks = looks_of_all or looks(summary.strategies, self.families)
        self.board = Board(summary, self.looks)
        self.kinds = preferences(summary)

    @property
    def switches(self) -> str:
        """Return the CSS of the switches."""
        return switches(len(self.summary.targets), self.kinds)

    def values(self) -> dict[str, Any]:
        """Return the values of the template by name."""
        found = self.first_screen() | self.leaderboard() | self._sections() | self._folded()
        return {**found, "sections": _headings(found)}

    def first_screen(self) -> dict[str, Any]:
        """Return the values of the first screen: what to take on each task."""
        summary, targets, family = self.summary, self.summary.targets, self.families or {}
        return {
            "summary": summary,
            "looks": self.looks,
            "data_errors": data_errors(summary.data),
            "flawed": [one for one in summary.data if one.flaws],
            "flaw_words": {"error": "worse", "warning": "warn", "note": ""},
            "headlines": headlines(summary, self.kinds),
            "counted": {
                "tasks": sum(not target.is_sequence for target in targets),
                "sequences": sum(target.is_sequence for target in targets),
            },
            "statuses": sorted(summary.statuses.items(), key=lambda found: (found[0] != "ok", found[0])),
            "failed": any(status not in _HARMLESS for status in summary.statuses),
            "device": device(summary),
            "decided": any(target.answer.decided for target in targets),
            "families": family_legend(family.get(label, "other") for label in summary.strategies) if family else [],
            "family": family,
            "kinds": self.kinds,
            "cost_names": HEADINGS,
            "cards": cards(summary, self.looks, self.kinds),
            "matrix": overview(summary, self.looks, self.kinds),
            "unscored": self.unscored,
            "lost_number": sum(number for status, number in summary.statuses.items() if status != "ok"),
        }

    def leaderboard(self) -> dict[str, Any]:
        """Return the values of the leaderboard."""
        return {
            "board": self.board,
            "first_rows": CROWD,
            "steps": {t.label: axis_of(t).steps for t in self.summary.targets if self.board.rows(t)},
            "lower": _lower,
            "links": {},
        }

    def _sections(self) -> dict[str, Any]:
        targets = self.summary.targets
        forests = [(place, forest(target, self.looks)) for place, target in enumerate(targets)]
        learning = [
            (place, curves(target, task, self.looks)) for place, target in enumerate(targets) for task in target.tasks
        ]
        analysed = [(place, target, errors) for place, target in enumerate(targets) for errors in target.errors]
        sure = [
            (place, calibration(target, errors, self.looks))
            for place, target, errors in analysed
            if not target.is_sequence
        ]
        warned = [(place, target.label, warnings(target)) for place, target in enumerate(targets)]
        return {
            "forests": [(place, found) for place, found in forests if found],
            "by_family": sorted(self.looks.items(), key=lambda item: (item[1].colour, item[1].dash)),
            "ranks": rank_chart(self.summary.ranking, self.looks),
            "learning": [(place, found) for place, found in learning if found],
            "warned": [(place, label, found) for place, label, found in warned if found],
            "analysed": analysed,
            "sure": [(place, found) for place, found in sure if found],
            "most_matrices": 4,
            "mistakes": mistakes,
            "slice_table": slice_table,
            "class_table": class_table,
            "sequences": [(place, target) for place, target in enumerate(targets) if target.is_sequence],
            "task_cell": self.task_cell,
            "score_change": _score_change,
            "tuned": tuned_targets(self.summary),
            "tuning_sentences": tuning_sentences,
            "change_table": change_table,
            "choice_table": choice_table,
            "tuning_notes": tuning_notes,
            "rate_curves": rate_curves,
            "winners": winners(self.summary),
        }

    def _folded(self) -> dict[str, Any]:
        targets = self.summary.targets
        order = list(dict.fromkeys(name for target in targets for c in target.contenders for name in c.phases))
        return {
            "measurements": self.measurements,
            "different": [(target, table) for target in targets if (table := settings_table(target))[1]],
            "compared": COMPARED,
            "trial_table": trial_table,
            "timed": [found for target in targets if (found := phases(target, order))],
            "phase_legend": phase_legend(order),
            "sampled": [found for target in targets for found in over_time(self.summary, target, self.looks)],
            "prose": [
                sentences
                for write in (protocol, statistics, over_tasks, left_out)
                if (sentences := write(self.summary))
            ],
        }

    @cached_property
    def unscored(self) -> list[tuple[str, str, str, str]]:
        """Status, contenders and task, seeds and reason of trials without a score; equal ones share an entry."""
        found: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
        for target in self.summary.targets:
            for lost in self.board.lost(target):
                found[target.label, lost.status, lost.seeds_text, lost.message].append(lost.label)
        return [
            (status, f"{', '.join(labels)} on {target}", parts, message)
            for (target, status, parts, message), labels in found.items()
        ]

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


def _lower(target: TaskColumn) -> bool:
    return any(
        c.quantities[target.primary].direction == "lower" for c in target.contenders if target.primary in c.quantities
    )


def _headings(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    there = [
        ("leaderboard", "Leaderboard", True),
        ("differences", "Differences", found["forests"]),
        ("curves", "Learning", found["learning"] or found["warned"]),
        ("tuning", "Tuning", found["tuned"]),
        ("errors", "Errors", found["analysed"]),
        ("retention", "Retention", found["sequences"]),
        ("data-check", "Data", found["flawed"]),
        ("use", "Use it", found["winners"]),
        ("methods", "Methods", True),
    ]
    return [(name, heading) for name, heading, shown in there if shown]
