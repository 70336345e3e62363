"""Which strategies meet some limits, and which of them is preferred, as far as the data can tell."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..stats.estimates import CLAIM, Interval
from ..stats.multiplicity import corrected
from ..suite.suite import margin_of
from .contender import apart_sentences, difference, gain
from .wording import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..stats.multiplicity import Comparison
    from ..suite.suite import Statistics
    from .contender import Contender, Quantity
    from .summary import Summary
    from .task_column import TaskColumn

Standing = Literal["met", "not met", "undecided", "not measured"]
MEMORY = ("peak_device_memory", "peak_allocated_memory", "peak_host_memory")
"""What a limit on memory is held against: the first that was measured."""


@dataclass(frozen=True)
class Limit:
    """What a measurement must be at least, or at most."""

    metrics: tuple[str, ...]
    """Names of measurements; the first that a target has counts."""
    bound: float
    """In the measurement's unit."""
    at_least: bool


@dataclass(frozen=True)
class Judged:
    """One limit, held against one contender."""

    limit: Limit
    metric: str
    """Which measurement counted; empty where none was taken."""
    standing: Standing
    by: str
    """What it was judged by."""
    quantity: Quantity | None

    @property
    def interval(self) -> Interval | None:
        """What it was judged by, where that is an interval."""
        return judging(self.quantity) if self.quantity else None


@dataclass(frozen=True)
class Candidate:
    """A contender and how it stands."""

    contender: Contender
    judged: tuple[Judged, ...]

    @property
    def standing(self) -> Standing:
        """The worst of its limits; a measurement that is missing is as bad as one that fails."""
        found = {judged.standing for judged in self.judged}
        order: tuple[Standing, ...] = ("not met", "not measured", "undecided")
        return next((standing for standing in order if standing in found), "met")


@dataclass(frozen=True)
class Recommendation:
    """The answer for one target."""

    target: str
    prefer: str
    """The measurement that decides between those that meet every limit."""
    recommended: tuple[str, ...]
    """One label, or several that the data cannot separate; none where nobody meets every limit for sure."""
    why: tuple[str, ...]
    """In sentences."""
    candidates: tuple[Candidate, ...]
    """Everyone with a score: those that meet every limit first, then by preference."""


def recommend(
    summary: Summary, limits: Sequence[Limit], prefer: str | None = None, only: Sequence[str] = ()
) -> list[Recommendation]:
    """Recommend for every target.

    A limit is met where the whole 95 % interval lies on its side: over seeds and new test items for the primary score where that
    is known, else over seeds; with one seed the value itself is taken. Of those that meet every limit the one is recommended that
    is better by the preferred measurement than each other, Holm-corrected over all pairs; else all that it is not told apart from.

    Args:
        summary: of a run.
        limits: to be met, all of them.
        prefer: a measurement; by default each target's primary score.
        only: labels of targets; by default all.
    """
    targets = [target for target in summary.targets if not only or target.label in only]
    return [_recommended(target, limits, prefer or target.primary, summary.statistics) for target in targets]


def judging(quantity: Quantity) -> Interval | None:
    """Give the interval a measurement is judged by; None where one seed has none."""
    found = quantity.estimate
    if quantity.new_items is not None:
        return quantity.new_items
    return Interval(found.low, found.high) if found and found.low is not None and found.high is not None else None


def _recommended(target: TaskColumn, limits: Sequence[Limit], prefer: str, statistics: Statistics) -> Recommendation:
    scored = [c for c in target.contenders if c.statuses.get("ok") and not c.apart]
    candidates = [Candidate(c, tuple(_judged(c, limit, target) for limit in limits)) for c in scored]
    order = {"met": 0, "undecided": 1, "not measured": 2, "not met": 3}
    candidates.sort(
        key=lambda c: (order[c.standing], gain(c.contender, prefer) is None, -(gain(c.contender, prefer) or 0))
    )
    fitting = [c.contender for c in candidates if c.standing == "met"]
    recommended, why = _chosen(fitting, prefer, target, statistics)
    if not fitting:
        why = _nobody(candidates, limits)
    else:
        unsure = [c.contender.label for c in candidates if c.standing == "undecided"]
        flags = sorted(
            {
                flag
                for c in fitting
                if c.label in recommended and _taken(c, prefer)
                for flag in c.quantities[prefer].flags
            }
        )
        why += [f"Of {prefer.replace('_', ' ')} must be known: {joined(flags)}."] if flags else []
        why += (
            [f"Whether {joined(unsure)} would do is undecided: an interval lies on both sides of a limit."]
            if unsure
            else []
        )
    return Recommendation(
        target.label, prefer, tuple(recommended), (*why, *apart_sentences(target.contenders)), tuple(candidates)
    )


def _judged(contender: Contender, limit: Limit, target: TaskColumn) -> Judged:
    there = [name for name in limit.metrics if any(_taken(c, name) for c in target.contenders)]
    quantity = contender.quantities.get(there[0]) if there else None
    if quantity is None or quantity.estimate is None:
        return Judged(
            limit, there[0] if there else "", "not measured", (quantity.reason if quantity else "") or "", quantity
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


def _taken(contender: Contender, name: str) -> bool:
    return name in contender.quantities and contender.quantities[name].estimate is not None


def _chosen(
    fitting: Sequence[Contender], prefer: str, target: TaskColumn, statistics: Statistics
) -> tuple[list[str], list[str]]:
    """Choose among those that meet every limit, best by preference first."""
    named = prefer.replace("_", " ")
    rated = [c for c in fitting if _taken(c, prefer)]
    if not rated:
        labels = [c.label for c in fitting]
        return labels, [
            f"{joined(labels)} meet{'s' if len(labels) == 1 else ''} every limit; {named} was not measured."
        ] if labels else []
    if len(fitting) == 1:
        return [fitting[0].label], [f"{fitting[0].label} alone meets every limit for sure."]
    best, unit = rated[0], rated[0].quantities[prefer].unit
    margin = margin_of(statistics, target.label, prefer, unit)
    pairs = {
        (worse.label, better.label): difference(worse, better, prefer, margin)
        for better, worse in itertools.combinations(rated, 2)
    }
    comparisons = corrected({pair: found for pair, found in pairs.items() if found is not None})
    against = {c.first: c for c in comparisons if c.second == best.label}
    tied = [c.label for c in rated[1:] if c.label not in against or not against[c.label].apart]
    unrated = [c.label for c in fitting if c not in rated]
    way = "lowest" if best.quantities[prefer].direction == "lower" else "highest"
    if not tied and not unrated:
        return [best.label], [
            f"{best.label} meets every limit and has the {way} {named}, told apart from {joined([*against])}."
        ]
    return [best.label, *tied, *unrated], _undecided(
        best.label, tied, unrated, f"{way} mean {named}", list(against.values())
    )


def _undecided(
    best: str, tied: Sequence[str], unrated: Sequence[str], named: str, against: Sequence[Comparison]
) -> list[str]:
    why = [f"{best} has the {named} of those that meet every limit."]
    few = next((c.difference.estimate.n for c in against if c.difference.verdict == "too few seeds"), None)
    if tied and few is not None:
        why.append(
            f"{few} seed{'s' if few > 1 else ''} cannot say whether it is better than {joined(tied)}; {CLAIM} could."
        )
    elif tied:
        why.append(f"It cannot be told apart from {joined(tied)}.")
    if unrated:
        why.append(f"Of {joined(unrated)} that was not measured.")
    return why


def _nobody(candidates: Sequence[Candidate], limits: Sequence[Limit]) -> list[str]:
    unsure = [c.contender.label for c in candidates if c.standing == "undecided"]
    if unsure:
        return [
            f"No strategy meets every limit for sure; {joined(unsure)} may: an interval lies on both sides of a limit."
        ]
    missing = [limit.metrics[0] for limit in limits if all(_missing(c, limit) for c in candidates)]
    if candidates and missing:
        return [
            f"No strategy can be held against every limit: nothing here has {joined([name.replace('_', ' ') for name in missing])}."
        ]
    return ["No strategy meets every limit."] if candidates else ["No trial has finished with a score."]


def _missing(candidate: Candidate, limit: Limit) -> bool:
    return any(judged.limit == limit and judged.standing == "not measured" for judged in candidate.judged)
