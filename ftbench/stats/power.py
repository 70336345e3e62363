"""What so many seeds can see: the power of the paired t-test, in standard deviations of the differences."""

from __future__ import annotations

import math

from .estimates import ALPHA, t_quantile

POWER = 0.8
LARGEST = 10_000
"""Seeds beyond which nobody is told how many are needed."""


def power_of(effect: float, n: int, alpha: float = ALPHA) -> float:
    """Give the chance that a two-sided paired t-test of n seeds finds a difference.

    P(|T'| > t(n−1, 1−α/2)), T' noncentral t with n − 1 degrees of freedom and noncentrality effect·√n (Cohen 1988, section 2).

    Args:
        effect: the true difference in standard deviations of the paired differences, d_z.
        n: pairs, at least 2.
        alpha: level of the test.

    Raises:
        ValueError: fewer than two pairs.
    """
    from scipy.special import nctdtr

    if n < 2:
        message = f"a paired test needs two pairs, got {n}"
        raise ValueError(message)
    critical, shift = t_quantile(n - 1, 1 - alpha / 2), abs(effect) * math.sqrt(n)
    return float(1 - nctdtr(n - 1, shift, critical) + nctdtr(n - 1, shift, -critical))


def detectable(n: int, wanted: float = POWER, alpha: float = ALPHA) -> float | None:
    """Give the smallest true difference that n seeds find with the wanted power, in standard deviations of the differences.

    Solved from `power_of`; None under two seeds.

    Args:
        n: paired seeds.
        wanted: the power, between α and 1.
        alpha: level of the two-sided test.
    """
    if n < 2:
        return None
    small, large = 0.0, 1.0
    while power_of(large, n, alpha) < wanted:
        small, large = large, 2 * large
    while (middle := (small + large) / 2) not in (small, large):
        small, large = (small, middle) if power_of(middle, n, alpha) >= wanted else (middle, large)
    return large


def seeds_for(effect: float, wanted: float = POWER, alpha: float = ALPHA) -> int | None:
    """Give the fewest seeds that find a difference with the wanted power; None where ten thousand would not do.

    Args:
        effect: the true difference in standard deviations of the paired differences.
        wanted: the power, between α and 1.
        alpha: level of the two-sided test.
    """
    if power_of(effect, LARGEST, alpha) < wanted:
        return None
    few, many = 1, 2
    while power_of(effect, many, alpha) < wanted:
        few, many = many, min(2 * many, LARGEST)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if power_of(effect, middle, alpha) >= wanted else (middle, many)
    return many
