"""Compute the rows of a site's index: a task with the strategy to take, the strip of all, its costs and the date."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ftbench.reporting import interval_shown
from markupsafe import Markup

from ..cards import KINDS, cost_of
from ..charts import mean
from ..track import tracks
from .data_tables import DataTable
from .dates import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ftbench.reporting import Group, PublishedRun, TaskColumn

    from ..cards import Card, Pick
    from ..palette import Look
    from .data_tables import Value

_NAMED = 3
"""Strategies that are named besides the pick."""


class TaskRow(NamedTuple):
    """One task of one group."""

    card: Card
    pick: Pick | None
    """The strategy to take; None if none has a score."""
    others: str
    """The others that could be the best, in words."""
    strip: Markup
    run: PublishedRun
    """The run that the pick's row comes from, or the newest."""
    lost: int
    """Trials without a score, except those that are not applicable."""


def task_rows(
    group: Group, cards: Sequence[Card], runs: Mapping[str, PublishedRun], looks: Mapping[str, Look]
) -> list[TaskRow]:
    """Return a row for each task of a group."""
    return [_row(group, card, runs, looks) for card in cards]


def index_table(rows: Iterable[tuple[Group, TaskRow]], pages: Mapping[str, str]) -> DataTable:
    """Return the same rows as values.

    Args:
        rows: with their groups.
        pages: key of a group → path of its page.
    """
    costs = [f"{name}{part}" for name in KINDS for part in ("", "_unit", "_ratio_to_baseline")]
    headings = ("suite", "device", "task", "metric", "unit", "take", "score", "low", "high", "could_be_the_best")
    ends = ("baseline", "trials_without_a_score", "finished", "run", "rerun_by", "page")
    return DataTable("index", (*headings, *costs, *ends), tuple(_values(group, row, pages) for group, row in rows))


def _row(group: Group, card: Card, runs: Mapping[str, PublishedRun], looks: Mapping[str, Look]) -> TaskRow:
    target, pick = card.target, card.picks[0] if card.picks else None
    by_label = {c.label: c.strategy for c in target.contenders}
    source = group.sources[by_label[pick.label]] if pick else group.runs[0]
    strip = tracks(target, card.axis, looks) if card.axis else Markup("")
    lost = sum(missing.status != "not-applicable" for missing in target.missing)
    return TaskRow(card, pick, _others(target), strip, runs[source], lost)


def _others(target: TaskColumn) -> str:
    """Name the others that could be the best."""
    if not target.answer.decided:
        return "too few seeds to choose" if len(target.contenders) > 1 else ""
    labels = [label for label in target.answer.possible if label != target.answer.pick]
    if not labels:
        return "no other could be the best"
    if len(labels) > _NAMED + 1:
        return f"or {', '.join(labels[:_NAMED])} and {len(labels) - _NAMED} more"
    return "or " + " and ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))


def _values(group: Group, row: TaskRow, pages: Mapping[str, str]) -> tuple[Value, ...]:
    target = row.card.target
    by_label = {c.label: c for c in target.contenders}
    pick, baseline = by_label.get(row.pick.label if row.pick else ""), by_label.get(target.baseline or "")
    found = interval_shown(target.answer, pick, target.primary) if pick else None
    costs: list[Value] = []
    for kind in KINDS:
        name = cost_of(target, kind)
        spent = mean(pick, name) if pick and name else None
        other = mean(baseline, name) if baseline and name else None
        unit = pick.quantities[name].unit if pick and spent is not None else None
        costs += [spent, unit, spent / other if spent is not None and other else None]
    return (
        group.suite,
        group.fingerprint.device,
        target.label,
        target.primary,
        target.unit,
        row.pick.label if row.pick and row.card.takes else None,
        mean(pick, target.primary) if pick else None,
        found.low if found else None,
        found.high if found else None,
        ", ".join(target.answer.possible) if target.answer.decided else None,
        *costs,
        target.baseline,
        row.lost,
        iso(row.run.finished),
        row.run.name,
        None,
        pages[group.fingerprint.key],
    )
