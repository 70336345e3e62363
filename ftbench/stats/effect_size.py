"""Effect sizes of paired differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .estimates import paired_differences

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Effect:
    """Size of the difference of two strategies on the same seeds."""

    points: float
    """Mean difference, second minus first, times 100."""
    error_reduction: float | None
    """Relative reduction of the error rate, from first to second; negative if the second makes more errors. None if
    scores are not shares of right or wrong answers, or the first makes no errors."""
    d_z: float | None
    """Mean difference in standard deviations of the paired differences (Cohen 1988, d_z). None if n = 1 or all
    differences are equal."""
    p_better: float
    """Share of the seeds on which the second is better; ties count half (Bouthillier et al. 2021, P(A > B))."""


def effect(first: Sequence[float], second: Sequence[float], *, lower: bool = False, shares: bool = True) -> Effect:
    """Compute the effect sizes of a paired difference.

    Args:
        first: scores of the baseline, shape [n], in the order of the seeds, n ≥ 1.
        second: scores of the other strategy, shape [n].
        lower: whether a lower score is better. If so, scores are shares of wrong answers, otherwise of right answers.
        shares: whether scores are shares of answers at all.

    Raises:
        ValueError: if the two differ in length or are empty.
    """
    differences = paired_differences(first, second)
    if not differences.size:
        message = "an effect size needs at least one pair"
        raise ValueError(message)
    mean = float(differences.mean())
    deviation = float(differences.std(ddof=1)) if differences.size > 1 else 0.0
    improvements = -differences if lower else differences
    return Effect(
        points=100 * mean,
        error_reduction=_error_reduction(float(np.mean(first)), float(np.mean(second)), lower=lower)
        if shares
        else None,
        d_z=mean / deviation if deviation else None,
        p_better=float(((improvements > 0) + 0.5 * (improvements == 0)).mean()),
    )


def _error_reduction(first: float, second: float, *, lower: bool) -> float | None:
    """Return 1 − error rate of the second / error rate of the first; None if it is undefined."""
    before, after = (first, second) if lower else (1 - first, 1 - second)
    if before <= 0 or after < 0:
        return None
    return 1 - after / before
