"""How large a difference is, beside whether there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .estimates import paired_differences

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Effect:
    """How large the difference of two strategies on the same seeds is."""

    points: float
    """Mean difference, second less first, times 100."""
    error_reduction: float | None
    """Share of the first one's errors that the second does not make; negative where it makes more. None where scores are no shares
    of right or wrong answers, and where the first makes no errors."""
    d_z: float | None
    """Mean difference in standard deviations of the paired differences (Cohen 1988, d_z); None at n = 1 and where all are equal."""
    p_better: float
    """Share of the seeds on which the second is better, ties counting half (Bouthillier et al. 2021, P(A > B))."""


def effect(first: Sequence[float], second: Sequence[float], *, lower: bool = False, shares: bool = True) -> Effect:
    """Give the sizes of a difference.

    Args:
        first: scores of the baseline, shape [n], in the order of the seeds, n ≥ 1.
        second: scores of the other, shape [n].
        lower: whether a lower score is better: scores are shares of wrong answers then, else of right ones.
        shares: whether scores are such shares at all.

    Raises:
        ValueError: the two are not of one length, or empty.
    """
    differences = paired_differences(first, second)
    if not differences.size:
        message = "an effect needs at least one pair"
        raise ValueError(message)
    mean = float(differences.mean())
    deviation = float(differences.std(ddof=1)) if differences.size > 1 else 0.0
    won = -differences if lower else differences
    return Effect(
        points=100 * mean,
        error_reduction=_error_reduction(float(np.mean(first)), float(np.mean(second)), lower=lower)
        if shares
        else None,
        d_z=mean / deviation if deviation else None,
        p_better=float(((won > 0) + 0.5 * (won == 0)).mean()),
    )


def _error_reduction(first: float, second: float, *, lower: bool) -> float | None:
    """Give 1 − error of the second / error of the first."""
    before, after = (first, second) if lower else (1 - first, 1 - second)
    if before <= 0 or after < 0:
        return None
    return 1 - after / before
