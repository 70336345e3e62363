"""Seed noise of paired differences, estimated from finished runs, and the differences it leaves detectable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .power import detectable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .estimates import Difference


@dataclass(frozen=True)
class Noise:
    """Standard deviation of paired differences over seeds."""

    s_d: float
    """Standard deviation of a paired difference, in the unit of the score."""
    n: int
    """Number of paired differences it is estimated from."""
    source: str
    """Description of those differences."""

    def detectable(self, seeds: int) -> float | None:
        """Return the smallest difference that `seeds` seeds detect with 80 % power, two-sided at 5 %.

        None for fewer than two seeds.
        """
        smallest = detectable(seeds)
        return None if smallest is None else smallest * self.s_d


def typical(differences: Iterable[Difference]) -> Noise | None:
    """Return the noise of a typical comparison; None if it is zero or unknown.

    It is the median of the standard deviations, each divided by its median for normal samples of the same size and unit
    variance, √(median of χ²(n − 1)/(n − 1)). The median is robust against a single strategy that hardly learns.
    """
    from statistics import median

    from scipy.special import gammaincinv

    known = [(d.estimate.n - 1, d.estimate.deviation) for d in differences if d.estimate.deviation is not None]
    if not known:
        return None
    s_d = median(deviation / math.sqrt(2 * gammaincinv(df / 2, 0.5) / df) for df, deviation in known)
    several = f"median of {len(known)} comparisons" if len(known) > 1 else "comparison"
    return Noise(float(s_d), sum(df + 1 for df, _ in known), f"{several} with the baseline") if s_d else None
