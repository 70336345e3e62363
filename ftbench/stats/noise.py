"""Seed noise of paired differences, estimated from finished runs, and the differences it leaves detectable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .estimates import CLAIM
from .power import detectable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .estimates import Difference, Estimate


@dataclass(frozen=True)
class Noise:
    """Standard deviation of paired differences over seeds."""

    s_d: float
    """Standard deviation of a paired difference, in the unit of the score."""
    n: int
    """Number of paired differences it is estimated from."""
    source: str
    """Description of those differences."""
    prior_df: float = 0.0
    """Degrees of freedom that the differences of other strategies add to each; 0 if they add none."""
    strategies: int = 2
    """Number of strategies, which limits them."""

    def df(self, seeds: int) -> float:
        """Return the degrees of freedom of a difference over so many seeds; see `ftbench.stats.moderation`."""
        weight = min(self.prior_df, math.sqrt(2 * self.strategies * (seeds - 1) ** 3))
        return max(min(seeds - 1 + weight, (self.strategies - 1.0) * (seeds - 1)), seeds - 1.0)

    def detectable(self, seeds: int) -> float | None:
        """Return the smallest difference that `seeds` seeds detect with 80 % power, two-sided at 5 %.

        None for fewer than two seeds, or than three that no other strategy informs.
        """
        if seeds < CLAIM and not (seeds == CLAIM - 1 and self.df(seeds) > seeds - 1):
            return None
        smallest = detectable(seeds, df=self.df(seeds))
        return None if smallest is None else smallest * self.s_d


def typical(differences: Iterable[Difference]) -> Noise | None:
    """Return the noise of a typical comparison; None if it is zero or unknown.

    It is the median of the moderated standard deviations. Deviations that nothing informs are each divided by their
    median for normal samples of the same size and unit variance, √(median of χ²(n − 1)/(n − 1)). The median is robust
    against a single strategy that hardly learns.

    Args:
        differences: differences of all other strategies to the baseline.
    """
    from statistics import median

    known = [one.estimate for one in differences if one.estimate.deviation is not None]
    if not known:
        return None
    s_d = median(_deviation(one) for one in known)
    several = f"median of {len(known)} comparisons" if len(known) > 1 else "comparison"
    added = [one.df - (one.n - 1) for one in known if one.df is not None]
    source, informed = f"{several} with the baseline", median(added) if added else 0.0
    return Noise(float(s_d), sum(one.n for one in known), source, informed, len(known) + 1) if s_d else None


def _deviation(found: Estimate) -> float:
    from scipy.special import gammaincinv

    if found.moderated and found.error is not None:
        return found.error * math.sqrt(found.n)
    df = found.n - 1
    return (found.deviation or 0.0) / math.sqrt(2 * gammaincinv(df / 2, 0.5) / df)
