"""Multiple comparisons with the best: which strategies could be the best, and how many seeds would decide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from .estimates import ALPHA, one_sided_p, t_quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .estimates import Estimate

Name = TypeVar("Name")
MOST_SEEDS = 100
"""Largest number of seeds that `seeds_to_decide` considers."""


def could_be_best(
    names: Sequence[Name], gains: Mapping[tuple[Name, Name], Estimate], alpha: float = ALPHA
) -> tuple[Name, ...]:
    """Return the names that could be the best: a set that holds the true best with probability 1 − α (Hsu 1984).

    A name leaves the set if the smallest one-sided p-value of "it is worse than another", times the number of others,
    is below α. The true best leaves only if something looks significantly better than it, so that the guarantee does
    not mind that the leader was found in the same data.

    Args:
        names: all that are compared.
        gains: pair (first, second) → estimate of the second's gain over the first, positive if the second is better;
            one entry per pair, in either order. Pairs without an entry, or with one seed, decide nothing.
        alpha: probability that the set misses the true best.
    """
    least = dict.fromkeys(names, 1.0)
    for worse, gain in _both_ways(gains):
        p = one_sided_p(gain)
        if p is not None and worse in least:
            least[worse] = min(least[worse], p)
    return tuple(name for name in names if least[name] * (len(names) - 1) >= alpha or len(names) == 1)


def _both_ways(gains: Mapping[tuple[Name, Name], Estimate]) -> Iterable[tuple[Name, Estimate]]:
    from dataclasses import replace

    for (first, second), gain in gains.items():
        if gain.claimable:
            yield first, gain
            yield second, replace(gain, mean=-gain.mean)


def seeds_to_decide(lead: Iterable[Estimate], others: int, alpha: float = ALPHA) -> int | None:
    """Return how many seeds would leave only the leader in the set, if the differences stay as observed.

    None if no number up to `MOST_SEEDS` would, such as for strategies that score exactly alike.

    Args:
        lead: estimates of the leader's gain over each other member of the set.
        others: number of all strategies besides one, which the p-values are multiplied by.
        alpha: level of the set.
    """
    needed = [_seeds_for(gain, others, alpha) for gain in lead]
    return None if None in needed else max((count for count in needed if count is not None), default=None)


def _seeds_for(gain: Estimate, others: int, alpha: float) -> int | None:
    if gain.deviation is None or gain.mean <= 0:
        return None
    error = gain.deviation / math.sqrt(gain.n) if gain.error is None else gain.error
    spread = error * math.sqrt(gain.n)
    df = gain.n - 1.0 if gain.df is None else gain.df
    for n in range(max(gain.n, 2), MOST_SEEDS + 1):
        # A moderated error gains degrees of freedom in proportion to the seeds.
        free = df * (n - 1) / max(gain.n - 1, 1)
        if gain.mean > t_quantile(free, 1 - alpha / max(others, 1)) * spread / math.sqrt(n):
            return n
    return None
