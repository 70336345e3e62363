"""Compute the page of a strategy: one strip over all tasks, with a line for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ftbench.reporting import interval_shown, score_text, step_text, word_against
from markupsafe import Markup

from ..board import STATUS
from ..cards import cost_of, short_quantity, state_of
from ..charts import mean
from ..track import Axis, axis_over, ends_of, track
from .data_tables import DataTable
from .dates import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench.reporting import Contender, Group, PublishedRun, TaskColumn

    from ..cards import State
    from ..palette import Look
    from .data_tables import Value


class Standing(NamedTuple):
    """The strategy on one task of one group."""

    group: Group
    target: TaskColumn
    contender: Contender
    run: PublishedRun
    state: State
    """Whether it could be the best."""
    taken: bool
    """Whether it is the one to take."""
    ranks: str
    """Its possible ranks; empty with too few seeds for a claim."""
    score: str
    """Its score, or how its trials ended."""
    difference: str
    """Difference to the baseline with its verdict."""
    memory: str


class Strip(NamedTuple):
    """Standings whose scores have the same unit, on one axis."""

    axis: Axis | None
    """None if none has a score."""
    lines: tuple[tuple[Standing, Markup], ...]


def standings(label: str, groups: Sequence[Group], runs: Mapping[str, PublishedRun]) -> list[Standing]:
    """Return a strategy's standings on all tasks, by its label."""
    return [
        _standing(group, target, contender, runs[group.sources[label]])
        for group in groups
        for target in group.summary.targets
        for contender in (*target.contenders, *target.references)
        if contender.strategy == label
    ]


def strips(found: Sequence[Standing], looks: Mapping[str, Look]) -> list[Strip]:
    """Draw standings, those of each unit on an axis of their own."""
    by_unit: dict[str, list[Standing]] = {}
    for one in found:
        by_unit.setdefault(one.target.unit, []).append(one)
    return [_strip(some, looks, unit) for unit, some in by_unit.items()]


def sentence(found: Sequence[Standing]) -> str:
    """Write on which tasks to take the strategy, and on how many it could be the best."""
    if found and all(one.contender.is_reference for one in found):
        return "A reference, for which nothing is trained."
    taken = list(dict.fromkeys(one.target.label for one in found if one.taken))
    possible = sum(one.state == "in" for one in found)
    decided = sum(bool(one.state) for one in found)
    if taken:
        first = f"Take it on {_listed(taken)}."
    else:
        first = "Take another strategy." if decided else "Too few seeds to choose."
    return f"{first} It could be the best on {possible} of {decided} tasks." if decided else first


def strategy_table(stem: str, found: Sequence[Standing], pages: Mapping[str, str]) -> DataTable:
    """Return the standings as values; `pages` has the page of each group by its key."""
    headings = ("suite", "device", "task", "strategy", "backbone", "metric", "unit", "score", "low", "high")
    others = ("best_rank", "worst_rank", "could_be_the_best", "take", "baseline", "difference", "verdict")
    ends = ("memory", "trials_ok", "finished", "run", "page")
    return DataTable(stem, (*headings, *others, *ends), tuple(_values(one, pages) for one in found))


def _standing(group: Group, target: TaskColumn, contender: Contender, run: PublishedRun) -> Standing:
    label, against = contender.label, contender.against_baseline
    places, value = group.places[target.label].get(label), mean(contender, target.primary)
    memory = cost_of(target, "memory")
    spent = mean(contender, memory) if memory else None
    word = "baseline" if label == target.baseline else word_against(target, contender) if against else ""
    step = step_text(against.estimate.mean, target.unit) if against and label != target.baseline else ""
    return Standing(
        group,
        target,
        contender,
        run,
        "" if contender.is_reference or value is None else state_of(target, label),
        label == target.answer.pick and target.answer.decided,
        "" if places is None else f"{places[0]}–{places[1]}" if places[0] < places[1] else str(places[0]),
        score_text(value, target.unit) if value is not None else _ended(contender),
        " ".join(filter(None, (step, word))),
        short_quantity(spent, "B") if spent is not None else "",
    )


def _ended(contender: Contender) -> str:
    return ", ".join(f"{number} {STATUS.get(status, status)}" for status, number in sorted(contender.statuses.items()))


def _strip(found: Sequence[Standing], looks: Mapping[str, Look], unit: str) -> Strip:
    scored = [one for one in found if mean(one.contender, one.target.primary) is not None]
    if not scored:
        return Strip(None, tuple((one, Markup("")) for one in found))
    best = [value for one in scored if (value := _best(one.target)) is not None]
    axis = axis_over([*(end for one in scored for end in ends_of(one.target, one.contender)), *best], unit)
    drawn = tuple((one, _drawn(one, axis, looks)) for one in found)
    return Strip(axis, drawn)


def _best(target: TaskColumn) -> float | None:
    return mean(target.contenders[0], target.primary) if target.contenders else None


def _drawn(one: Standing, axis: Axis, looks: Mapping[str, Look]) -> Markup:
    if mean(one.contender, one.target.primary) is None:
        return Markup("")
    return track(one.target, one.contender, axis, looks[one.contender.label], best=_best(one.target))


def _values(one: Standing, pages: Mapping[str, str]) -> tuple[Value, ...]:
    target, contender, against = one.target, one.contender, one.contender.against_baseline
    found = interval_shown(target.answer, contender, target.primary)
    places = one.group.places[target.label].get(contender.label, (None, None))
    memory = cost_of(target, "memory")
    return (
        one.group.suite,
        one.group.fingerprint.device,
        target.label,
        contender.strategy,
        contender.backbone,
        target.primary,
        target.unit,
        mean(contender, target.primary),
        found.low if found else None,
        found.high if found else None,
        *places,
        one.state == "in" if one.state else None,
        one.taken,
        target.baseline,
        against.estimate.mean if against else None,
        against.verdict if against else None,
        mean(contender, memory) if memory else None,
        contender.statuses.get("ok", 0),
        iso(one.run.finished),
        one.run.name,
        pages[one.group.fingerprint.key],
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
