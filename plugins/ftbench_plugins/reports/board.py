"""Compute the leaderboard: a row per strategy and task, and rows for trials without a score."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftbench.reporting import (
    interval_shown,
    places_of,
    quantity,
    score_text,
    share_range,
    step_range,
    step_text,
    word_against,
)
from markupsafe import Markup

from .cards import short_quantity, state_of
from .columns import measured, shown, with_interval
from .track import axis_of, rank_bar, track

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Summary
    from ftbench.reporting import Contender, Quantity, TaskColumn

    from .cards import State
    from .columns import Column
    from .palette import Look
    from .track import Axis

STATUS = {
    "oom": "out of memory",
    "timeout": "timed out",
    "infra": "machine failed",
    "not-applicable": "not applicable",
    "error": "failed",
    "missing": "missing",
}
"""How a trial ended, in words; statuses not listed are shown as they are."""
FIRST_COST = 4
"""Index of the first column of costs."""


@dataclass(frozen=True)
class Cell:
    """One value of a row."""

    text: str
    title: str = ""
    """Why there is no value, or what a reader must know of it."""
    interval: str = ""
    """The value with its interval and n, if it has one; the page lists them in its table of all measurements."""
    kind: str = ""
    """`flag` if readers must know something before comparing it, `rate` if its unit may be on a second line."""


@dataclass(frozen=True)
class Row:
    """A contender with scores."""

    label: str
    state: State
    """Whether it could be the best."""
    stars: str
    """The Pareto fronts it is on, in words; empty if none."""
    ranks: str
    """Its possible ranks; empty with too few seeds for a claim."""
    rank_bar: Markup
    first_rank: str
    """The best of them."""
    score: str
    figure: str
    """The score without its unit."""
    range: str
    """The interval of the score, without its mean."""
    value: str
    sub: str
    bar: Markup
    step: str
    """The difference to the baseline."""
    difference: str
    """The same with its interval."""
    difference_value: str
    word: str
    """The verdict on it; empty if undecided."""
    note: str
    """The difference on new test items, or why the contender is not comparable."""
    seeds: str
    statuses: str
    costs: tuple[Cell, ...]
    lr: str
    details: tuple[str, ...]
    """What a reader may want to know beyond the row."""


@dataclass(frozen=True)
class Lost:
    """Trials of one contender without a score that ended the same way."""

    label: str
    seeds: tuple[int, ...]
    status: str
    message: str
    kind: str

    @property
    def seeds_text(self) -> str:
        """Its seeds in words."""
        return f"seed{'s' if len(self.seeds) > 1 else ''} {', '.join(map(str, self.seeds))}"


class Board:
    """All rows of all tasks, under the same columns."""

    def __init__(self, summary: Summary, looks: Mapping[str, Look]) -> None:
        self.columns: list[Column] = measured(summary.targets)
        self.shown = shown(self.columns)
        self.headings = (
            "strategy",
            "rank",
            "score",
            "difference",
            *(column.heading for column in self.columns),
            "seeds",
            "learning rate",
        )
        self._looks = looks

    @property
    def hidden(self) -> list[str]:
        """Return the classes of the table that hide the columns not shown by default; see `style`."""
        indices = [FIRST_COST + place for place, column in enumerate(self.columns) if column.name not in self.shown]
        return [f"h{place}" for place in (*indices, len(self.headings) - 2, len(self.headings) - 1)]

    def style(self) -> str:
        """Return CSS that hides a column by a class of the table."""
        return "".join(
            f"#board.h{place} tr>:nth-child({place + 1}){{display:none}}" for place in range(1, len(self.headings))
        )

    def rows(self, target: TaskColumn) -> list[Row]:
        """Return the rows of all contenders with a score, best first."""
        scored = [c for c in target.contenders if (q := c.quantities.get(target.primary)) and q.estimate]
        if not scored:
            return []
        axis, places = axis_of(target), places_of(target)
        return [self._row(target, contender, axis, places) for contender in scored]

    def lost(self, target: TaskColumn) -> list[Lost]:
        """Return the trials without a score, grouped by contender and cause."""
        found: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
        for missing in target.missing:
            found[missing.contender, missing.status, missing.message, missing.kind].append(missing.seed)
        return [
            Lost(label, tuple(seeds), STATUS.get(status, status), message, kind)
            for (label, status, message, kind), seeds in found.items()
        ]

    def _row(self, target: TaskColumn, contender: Contender, axis: Axis, places: Mapping[str, tuple[int, int]]) -> Row:
        found = contender.quantities[target.primary]
        assert found.estimate is not None
        against, unit, ranks = contender.against_baseline, target.unit, places.get(contender.label)
        done, ends = contender.statuses.get("ok", 0), _ends(target, contender)
        mean = found.estimate.mean
        row = Row(
            label=contender.label,
            state=state_of(target, contender.label),
            stars=fronts(contender),
            ranks="" if ranks is None else f"{ranks[0]}–{ranks[1]}" if ranks[0] < ranks[1] else str(ranks[0]),
            rank_bar=rank_bar(*ranks, len(places)) if ranks else Markup(""),
            first_rank=str(ranks[0]) if ranks else "",
            score=score_text(mean, unit),
            figure=f"{100 * mean:.1f}" if unit == "1" else f"{mean:.4g}",
            range=_range(target, contender),
            value=f"{mean:.6g}",
            sub=_secondary(target, contender),
            bar=track(target, contender, axis, self._looks[contender.label]),
            step=step_text(against.estimate.mean, unit) if against else "",
            difference=_difference(contender, target),
            difference_value="0"
            if contender.label == target.baseline
            else f"{against.estimate.mean:.6g}"
            if against
            else "",
            word=_word(contender, target),
            note=contender.apart or _on_new_items(contender, unit),
            seeds=f"{done} of {sum(ends.values())}" if len(ends) > 1 else str(done),
            statuses=", ".join(f"{n} {STATUS.get(s, s)}" for s, n in sorted(ends.items()) if s != "ok"),
            costs=tuple(_cell(contender.quantities.get(column.name)) for column in self.columns),
            lr=f"{contender.lr:g}" if contender.lr else "",
            details=(),
        )
        return Row(**{**vars(row), "details": tuple(_details(row, target, contender))})


def _ends(target: TaskColumn, contender: Contender) -> dict[str, int]:
    """Return how its trials ended, those without a record included."""
    ends = dict(contender.statuses)
    if waiting := sum(m.contender == contender.label and m.status == "missing" for m in target.missing):
        ends["missing"] = waiting
    return ends


def _details(row: Row, target: TaskColumn, contender: Contender) -> list[str]:
    found = contender.quantities[target.primary]
    beyond = f"; on new test items {share_range(found.new_items, target.unit)}" if found.new_items else ""
    lines = [f"{target.primary.replace('_', ' ')} {row.score} {row.range}{beyond}", row.sub]
    if row.difference:
        lines.append(f"difference to {target.baseline} {row.difference}{'; ' if row.note else ''}{row.note}")
    elif row.note:
        lines.append(row.note)
    lines.append(f"{row.seeds} seeds" + (f": {row.statuses}" if row.statuses else ""))
    lines += [f"learning rate {row.lr}"] * bool(row.lr) + [f"tuned: {contender.budget}"] * bool(contender.budget)
    lines += [f"on the Pareto front of {row.stars}"] * bool(row.stars)
    return [line for line in lines if line]


def _secondary(target: TaskColumn, contender: Contender) -> str:
    found = contender.quantities.get(target.secondary)
    if found is None or found.estimate is None:
        return ""
    return f"{target.secondary.replace('_', ' ').replace(' f1', ' F1')} {with_interval(found)}"


def _on_new_items(contender: Contender, unit: str) -> str:
    """Write the difference on new test items with its verdict; the interval does not wrap."""
    against = contender.against_baseline
    if against is None or against.new_items is None or against.verdict == "too few seeds":
        return ""
    found = against.new_items.interval
    written = step_range(found.low, found.high, unit).replace(" ", "\N{NO-BREAK SPACE}")
    return f"on new items {written}"


def _word(contender: Contender, target: TaskColumn) -> str:
    """Describe the comparison with the baseline, or that there must be none; empty if undecided."""
    if contender.label == target.baseline:
        return "baseline"
    if contender.against_baseline is None:
        return "not comparable" if contender.apart else ""
    return word_against(target, contender)


def fronts(contender: Contender) -> str:
    """Describe the fronts a contender is on, and how often it would be on them with other seeds."""
    named = ((cost.replace("_", " "), contender.front_chances.get(cost)) for cost in sorted(contender.fronts))
    return ", ".join(
        f"{cost} ({100 * chance:.0f} % of draws of seeds)" if chance is not None else cost for cost, chance in named
    )


def _range(target: TaskColumn, contender: Contender) -> str:
    known = contender.quantities[target.primary].estimate
    found = interval_shown(target.answer, contender, target.primary)
    if known is None or found is None:
        return ""
    return "each seed" if found.low == found.high else share_range(found, target.unit)


def _difference(contender: Contender, target: TaskColumn) -> str:
    """Write the difference to the baseline with the interval at the level of its corrected verdict."""
    against = contender.against_baseline
    if contender.label == target.baseline or against is None:
        return ""
    text, known = step_text(against.estimate.mean, target.unit), contender.against_interval
    if known is None:
        return text
    if known.low == known.high:
        return f"{text} (each seed)"
    return f"{text} {step_range(known.low, known.high, target.unit)}"


def _cell(found: Quantity | None) -> Cell:
    if found is None:
        return Cell("")
    if found.estimate is None:
        return Cell("–", f"not measured: {found.reason}")
    kind = " ".join(["flag"] * bool(found.flags) + ["rate"] * found.unit.endswith("/s"))
    known = f"{with_interval(found)}, n = {found.estimate.n}"
    text = short_quantity(found.estimate.mean, found.unit) if found.unit == "B" else None
    return Cell(text or quantity(found.estimate.mean, found.unit), ", ".join(found.flags), known, kind)
