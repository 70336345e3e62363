"""Recommendation of strategies that meet limits, and of the best choice among them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..stats.estimates import CLAIM, Interval
from ..stats.multiplicity import corrected
from ..suite.suite import margin_of
from .answer import ONLY_ONE, PREFERENCES, answer_of, counted
from .contender import gain, not_comparable_sentences, score
from .differences import differences, family_of
from .wording import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..stats.multiplicity import Comparison
    from ..suite.suite import Statistics
    from .answer import Answer
    from .contender import Contender, Quantity
    from .summary import Summary
    from .task_column import TaskColumn

Standing = Literal["met", "not met", "undecided", "not measured"]
MEMORY = ("peak_device_memory", "peak_allocated_memory", "peak_host_memory")
"""Measurements that a memory limit applies to: the first one that was measured."""


@dataclass(frozen=True)
class Limit:
    """A minimum or maximum of a measurement."""

    metrics: tuple[str, ...]
    """Names of measurements; the limit applies to the first that the task column has."""
    bound: float
    """In the unit of the measurement."""
    at_least: bool
    """Whether the bound is a minimum."""


@dataclass(frozen=True)
class Judged:
    """One limit, checked for one contender."""

    limit: Limit
    metric: str
    """Measurement that the limit was applied to; empty if there is none."""
    standing: Standing
    by: str
    """Which interval or value was compared with the bound; why there is none, if not measured."""
    quantity: Quantity | None

    @property
    def interval(self) -> Interval | None:
        """The interval that was compared with the bound; None if there is none."""
        return judging(self.quantity) if self.quantity else None


@dataclass(frozen=True)
class Candidate:
    """A contender with the result of every limit."""

    contender: Contender
    judged: tuple[Judged, ...]

    @property
    def standing(self) -> Standing:
        """The worst result over all limits, in the order `not met`, `not measured`, `undecided`, `met`."""
        found = {judged.standing for judged in self.judged}
        order: tuple[Standing, ...] = ("not met", "not measured", "undecided")
        return next((standing for standing in order if standing in found), "met")


@dataclass(frozen=True)
class Recommendation:
    """The recommendation for one task column."""

    target: str
    primary: str
    """The score that decides."""
    prefer: str
    """Kind of cost that chooses among those that could be the best, or the measurement that decides instead."""
    recommended: tuple[str, ...]
    """The one label to take; several if a measurement was preferred and they are statistically tied; empty if no
    contender is sure to meet every limit."""
    why: tuple[str, ...]
    """Reasons, in sentences."""
    candidates: tuple[Candidate, ...]
    """All contenders with a score: first those that meet every limit, best first within each group."""
    answer: Answer
    """The answer among the contenders that meet every limit."""
    measurement: str
    """Measurement of the preferred cost, or the preferred measurement; empty if it is a cost that was not measured."""

    @property
    def decided(self) -> bool:
        """Whether there is one label, from enough seeds to compare it with the others."""
        return len(self.recommended) == 1 and (self.answer.decided or len(self.answer.possible) == 1)


def recommend(
    summary: Summary, limits: Sequence[Limit], prefer: str | None = None, only: Sequence[str] = ()
) -> list[Recommendation]:
    """Return a recommendation for every task column.

    A limit is met if the whole 95 % interval meets it. The interval of the primary score is over seeds and new test
    items if that is known, all others are over seeds; with one seed, the value itself is used. Of the contenders that
    meet every limit, those that could be the best among them are compared by cost; see
    `ftbench.analysis.answer.choose`. Without limits, that is the answer of the task column.

    Args:
        summary: summary of a run.
        limits: limits that must all be met.
        prefer: kind of cost that chooses among those that could be the best; by default that of the suite. Or the name
            of a measurement: then the best one by it is recommended, with all that are statistically tied.
        only: labels of task columns; all by default.
    """
    targets = [target for target in summary.targets if not only or target.label in only]
    return [_recommend(target, limits, prefer, summary.statistics) for target in targets]


def judging(quantity: Quantity) -> Interval | None:
    """Return the interval of a measurement that limits are compared with; None if there is only one seed."""
    found = quantity.estimate
    if quantity.new_items is not None:
        return quantity.new_items
    return Interval(found.low, found.high) if found and found.low is not None and found.high is not None else None


def _recommend(
    target: TaskColumn, limits: Sequence[Limit], wanted: str | None, statistics: Statistics
) -> Recommendation:
    kind = wanted or target.answer.prefer
    name = None if kind in PREFERENCES else kind
    scored = [c for c in target.contenders if c.statuses.get("ok") and not c.apart]
    candidates = [Candidate(c, tuple(_judge(c, limit, target) for limit in limits)) for c in scored]
    order = {"met": 0, "undecided": 1, "not measured": 2, "not met": 3}
    by = name or target.primary
    candidates.sort(key=lambda c: (order[c.standing], gain(c.contender, by) is None, -(gain(c.contender, by) or 0)))
    fitting = [c.contender for c in candidates if c.standing == "met"]
    answer = _answer(target, fitting, kind)
    if not fitting:
        recommended, why = [], _why_none(candidates, limits)
    elif name is None:
        recommended, why = [answer.pick] if answer.pick else [], list(answer.sentences)
        if limits:
            why[1:] = [_meeting(fitting, scored), *(one for one in why[1:] if one != ONLY_ONE)]
    else:
        recommended, why = _choose(fitting, name, target, statistics)
    flagged = _flags([c for c in fitting if c.label in recommended], name) if name else []
    unsure = [c.contender.label for c in candidates if c.standing == "undecided"] if fitting else []
    if unsure:
        flagged.append(f"Whether {joined(unsure)} would meet every limit is undecided: an interval includes a limit.")
    return Recommendation(
        target=target.label,
        primary=target.primary,
        prefer=kind,
        recommended=tuple(recommended),
        why=(*why, *flagged, *not_comparable_sentences(target.contenders)),
        candidates=tuple(candidates),
        answer=answer,
        measurement=name or answer.cost,
    )


def _answer(target: TaskColumn, fitting: Sequence[Contender], kind: str) -> Answer:
    """Return the answer among contenders that meet every limit, from the task column's own comparisons of them."""
    prefer = next((known for known in PREFERENCES if known == kind), target.answer.prefer)
    comparable = [c for c in target.contenders if not c.apart]
    among = [c for c in comparable if c in fitting]
    if prefer == target.answer.prefer and len(among) == sum(score(c, target.primary) is not None for c in comparable):
        return target.answer
    labels = {c.label for c in among}
    scored = [c for c in among if score(c, target.primary) is not None]
    pairs = list(itertools.combinations(scored, 2))
    return answer_of(
        among,
        target.references,
        [one for one in target.comparisons if one.first in labels and one.second in labels],
        family_of(scored, target.primary, pairs) if pairs else None,
        target.primary,
        prefer=prefer,
        baseline=target.baseline,
    )


def _meeting(fitting: Sequence[Contender], scored: Sequence[Contender]) -> str:
    if len(fitting) == 1:
        return f"Only {fitting[0].label} is sure to meet every limit."
    return f"{len(fitting)} of {len(scored)} meet every limit: {counted([c.label for c in fitting])}."


def _flags(chosen: Sequence[Contender], name: str) -> list[str]:
    flags = sorted({flag for c in chosen if _has_value(c, name) for flag in c.quantities[name].flags})
    return [f"Flags of {name.replace('_', ' ')}: {joined(flags)}."] if flags else []


def _judge(contender: Contender, limit: Limit, target: TaskColumn) -> Judged:
    measured = [name for name in limit.metrics if any(_has_value(c, name) for c in target.contenders)]
    quantity = contender.quantities.get(measured[0]) if measured else None
    if quantity is None or quantity.estimate is None:
        return Judged(
            limit,
            measured[0] if measured else "",
            "not measured",
            (quantity.reason if quantity else "") or "",
            quantity,
        )
    interval = judging(quantity)
    mean = quantity.estimate.mean
    low, high = (interval.low, interval.high) if interval else (mean, mean)
    by = (
        "over seeds and new test items" if quantity.new_items else "over seeds" if interval else "one seed, no interval"
    )
    inside, outside = (
        (low >= limit.bound, high < limit.bound) if limit.at_least else (high <= limit.bound, low > limit.bound)
    )
    return Judged(limit, quantity.name, "met" if inside else "not met" if outside else "undecided", by, quantity)


def _has_value(contender: Contender, name: str) -> bool:
    return name in contender.quantities and contender.quantities[name].estimate is not None


def _choose(
    fitting: Sequence[Contender], prefer: str, target: TaskColumn, statistics: Statistics
) -> tuple[list[str], list[str]]:
    """Return the labels to recommend and why, from contenders that meet every limit, best first by `prefer`."""
    named = prefer.replace("_", " ")
    rated = [c for c in fitting if _has_value(c, prefer)]
    if not rated:
        labels = [c.label for c in fitting]
        return labels, [
            f"{joined(labels)} meet{'s' if len(labels) == 1 else ''} every limit; {named} was not measured."
        ] if labels else []
    if len(fitting) == 1:
        return [fitting[0].label], [f"Only {fitting[0].label} is sure to meet every limit."]
    best, unit = rated[0], rated[0].quantities[prefer].unit
    margin = margin_of(statistics, target.label, prefer, unit)
    pairs = [(worse, better) for better, worse in itertools.combinations(rated, 2)]
    judged = zip(pairs, differences(pairs, prefer, margin, target.contenders), strict=True)
    comparisons = corrected({(a.label, b.label): found for (a, b), found in judged if found is not None})
    against = {c.first: c for c in comparisons if c.second == best.label}
    tied = [c.label for c in rated[1:] if c.label not in against or not against[c.label].apart]
    unrated = [c.label for c in fitting if c not in rated]
    way = "lowest" if best.quantities[prefer].direction == "lower" else "highest"
    if not tied and not unrated:
        return [best.label], [
            f"{best.label} meets every limit and has the {way} {named}, significantly better than {joined([*against])}."
        ]
    return [best.label, *tied, *unrated], _why_tied(
        best.label, tied, unrated, f"{way} mean {named}", list(against.values())
    )


def _why_tied(
    best: str, tied: Sequence[str], unrated: Sequence[str], named: str, against: Sequence[Comparison]
) -> list[str]:
    why = [f"{best} has the {named} of the strategies that meet every limit."]
    few = next((c.difference.estimate.n for c in against if c.difference.verdict == "too few seeds"), None)
    if tied and few is not None:
        why.append(
            f"{few} seed{'s are' if few > 1 else ' is'} too few to show whether it is better than {joined(tied)}; "
            f"at least {CLAIM} are needed."
        )
    elif tied:
        why.append(f"It is statistically tied with {joined(tied)}.")
    if unrated:
        why.append(f"The measurement is missing for {joined(unrated)}.")
    return why


def _why_none(candidates: Sequence[Candidate], limits: Sequence[Limit]) -> list[str]:
    unsure = [c.contender.label for c in candidates if c.standing == "undecided"]
    if unsure:
        return [f"No strategy is sure to meet every limit; {joined(unsure)} may: an interval includes a limit."]
    missing = [limit.metrics[0] for limit in limits if all(_missing(c, limit) for c in candidates)]
    if candidates and missing:
        named = joined([name.replace("_", " ") for name in missing])
        return [f"No strategy can be checked against every limit: {named} was not measured."]
    return ["No strategy meets every limit."] if candidates else ["No trial has finished with a score."]


def _missing(candidate: Candidate, limit: Limit) -> bool:
    return any(judged.limit == limit and judged.standing == "not measured" for judged in candidate.judged)
