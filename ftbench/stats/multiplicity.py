"""Multiple comparisons: p-values and verdicts corrected so that false alarms stay rare."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .estimates import ALPHA, MARGIN, Difference, Interval, Verdict, half_width
from .moderation import of_family, paired_family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .estimates import Estimate

Key = TypeVar("Key")
SIGNIFICANT: tuple[Verdict, ...] = ("better", "worse")


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that the probability of any false alarm stays below α (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that the expected share of false alarms among those below α stays below α.

    For exploratory tables, not for claims (Benjamini and Hochberg 1995).
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    least = 1.0
    for rank in range(len(p_values), 0, -1):
        index = order[rank - 1]
        least = min(least, len(p_values) / rank * p_values[index])
        adjusted[index] = least
    return adjusted


def adjusted(
    p_values: Mapping[Key, float | None], method: Callable[[Sequence[float]], list[float]] = holm
) -> dict[Key, float | None]:
    """Return named p-values, adjusted; None stays None and does not count as a comparison."""
    known = {key: p for key, p in p_values.items() if p is not None}
    found = dict(zip(known, method(list(known.values())), strict=True))
    return {key: found.get(key) for key in p_values}


@dataclass(frozen=True)
class Comparison:
    """One of several comparisons, corrected for their number."""

    first: str
    second: str
    difference: Difference
    """Second minus first; its verdict is `better` or `worse` only if it survives the correction."""
    p_adjusted: float | None
    """p-value, Holm-corrected over all simultaneous comparisons; None if the difference has no p-value."""
    p_new_items: float | None = None
    """Holm-corrected p-value of the difference on new test items."""
    interval: Interval | None = None
    """Interval at the level at which Holm's procedure judges the pair: it excludes zero if and only if the corrected
    p-value is below 5 %. None without a p-value."""

    @property
    def apart(self) -> bool:
        """Whether the two differ significantly on this test set."""
        return self.difference.verdict in SIGNIFICANT


def compare_with(
    baseline: str, scores: Mapping[str, Sequence[float]], margin: float = MARGIN, *, lower: bool = False
) -> list[Comparison]:
    """Return comparisons of all others with the baseline, Holm-corrected over the k − 1 comparisons.

    With three or more strategies, the variances of all pairs inform each other; see `ftbench.stats.moderation`.

    Args:
        baseline: a key of `scores`; it is the first of every difference.
        scores: name → scores on the same seeds in the same order, shape [n].
        margin: largest difference that does not matter.
        lower: whether a lower score is better.

    Raises:
        ValueError: if scores differ in length or are empty.
    """
    return _compare_pairs(((baseline, name) for name in scores if name != baseline), scores, margin, lower=lower)


def compare_all(
    scores: Mapping[str, Sequence[float]], margin: float = MARGIN, *, lower: bool = False
) -> list[Comparison]:
    """Return comparisons of all pairs, Holm-corrected over the k(k − 1)/2 comparisons; see `compare_with`."""
    return _compare_pairs(itertools.combinations(scores, 2), scores, margin, lower=lower)


def _compare_pairs(
    pairs: Iterable[tuple[str, str]], scores: Mapping[str, Sequence[float]], margin: float, *, lower: bool
) -> list[Comparison]:
    if len({len(own) for own in scores.values()}) > 1:
        message = f"paired scores need the same seeds: {', '.join(str(len(own)) for own in scores.values())}"
        raise ValueError(message)
    table = np.array([list(own) for own in scores.values()], float).T
    if not np.isfinite(table).all():
        message = "a score is not finite"
        raise ValueError(message)
    columns, chosen = {name: column for column, name in enumerate(scores)}, list(pairs)
    sides = (np.array([columns[pair[side]] for pair in chosen], np.int64) for side in (0, 1))
    found = zip(chosen, of_family(paired_family(table, *sides), margin, lower=lower), strict=True)
    return corrected({pair: one for pair, one in found if one is not None})


def corrected(found: Mapping[tuple[str, str], Difference]) -> list[Comparison]:
    """Return simultaneous comparisons, Holm-corrected.

    `better` and `worse` become `undecided` if they do not survive the correction. Differences on new test items are
    corrected as a family of their own.

    Args:
        found: pair of names → difference, second minus first.
    """
    raw = {pair: one.p for pair, one in found.items()}
    seeds = adjusted(raw)
    counts = _counted(raw, seeds)
    items = adjusted({pair: one.new_items.p if one.new_items else None for pair, one in found.items()})
    return [
        Comparison(
            *pair,
            _with_corrected_verdicts(one, seeds[pair], items[pair]),
            seeds[pair],
            items[pair],
            _interval_for(one.estimate, counts.get(pair)),
        )
        for pair, one in found.items()
    ]


def _counted(raw: Mapping[Key, float | None], corrected: Mapping[Key, float | None]) -> dict[Key, int]:
    """Return the number of comparisons that each is one of: Holm's factor, or all those that are not significant."""
    ordered = sorted((p, number, key) for number, (key, p) in enumerate(raw.items()) if p is not None)
    rejected = sum(p < ALPHA for p in corrected.values() if p is not None)
    return {key: len(ordered) - min(rank, rejected) for rank, (_, _, key) in enumerate(ordered)}


def _interval_for(found: Estimate, count: int | None) -> Interval | None:
    if count is None or found.low is None:
        return None
    half = half_width(found, ALPHA / (2 * count))
    return Interval(found.mean - half, found.mean + half)


def _with_corrected_verdicts(found: Difference, p: float | None, p_new_items: float | None) -> Difference:
    on_items = found.new_items
    if on_items and on_items.verdict in SIGNIFICANT and (p_new_items is None or p_new_items >= ALPHA):
        found = replace(found, new_items=replace(on_items, verdict="undecided"))
    if found.verdict in SIGNIFICANT and (p is None or p >= ALPHA):
        found = replace(found, verdict="undecided")
    return found
