"""How far differences scatter over seeds, from runs that are done; and what so many seeds can see of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from .power import detectable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .estimates import Difference


@dataclass(frozen=True)
class Noise:
    """The scatter of paired differences over seeds."""

    s_d: float
    """Standard deviation of a paired difference, in the unit of the score."""
    n: int
    """Paired differences it comes from."""
    source: str
    """Where it comes from."""

    def detectable(self, seeds: int) -> float | None:
        """Give the smallest difference that so many seeds find with 80 % power, two-sided at 5 %; None under two seeds."""
        smallest = detectable(seeds)
        return None if smallest is None else smallest * self.s_d


def typical(differences: Iterable[Difference]) -> Noise | None:
    """Give the scatter of a typical comparison; None where nothing scatters.

    The median of the standard deviations, each over that of a normal sample of as many seeds, √(median of χ²(n − 1)/(n − 1)): one
    comparison with a strategy that hardly learns does not blow it up.
    """
    from scipy.special import gammaincinv

    known = [(d.estimate.n - 1, d.estimate.deviation) for d in differences if d.estimate.deviation is not None]
    if not known:
        return None
    s_d = median(deviation / math.sqrt(2 * gammaincinv(df / 2, 0.5) / df) for df, deviation in known)
    several = f"median of {len(known)} comparisons" if len(known) > 1 else "comparison"
    return Noise(float(s_d), sum(df + 1 for df, _ in known), f"{several} with the baseline") if s_d else None
