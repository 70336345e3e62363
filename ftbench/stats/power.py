"""Power of the paired t-test: detectable differences and seeds needed, in standard deviations of the differences."""

from __future__ import annotations

import math

from .estimates import ALPHA, t_quantile

POWER = 0.8
LARGEST = 10_000
"""Largest number of seeds that `seeds_for` considers."""


def power_of(effect: float, n: int, alpha: float = ALPHA) -> float:
    """Return the probability that a two-sided paired t-test of n seeds detects a difference.

    P(|T'| > t(n−1, 1−α/2)), with T' noncentral t with n − 1 degrees of freedom and noncentrality effect·√n (Cohen 1988,
    section 2).

    Args:
        effect: the true difference in standard deviations of the paired differences, d_z.
        n: number of pairs, at least 2.
        alpha: level of the test.

    Raises:
        ValueError: if there are fewer than two pairs.
    """
    from scipy.special import nctdtr

    if n < 2:
        message = f"a paired test needs at least two pairs, got {n}"
        raise ValueError(message)
    critical, shift = t_quantile(n - 1, 1 - alpha / 2), abs(effect) * math.sqrt(n)
    return float(1 - nctdtr(n - 1, shift, critical) + nctdtr(n - 1, shift, -critical))


def detectable(n: int, wanted: float = POWER, alpha: float = ALPHA) -> float | None:
    """Return the smallest true difference that n seeds detect with the wanted power.

    In standard deviations of the paired differences, solved numerically from `power_of`. None for fewer than two seeds.

    Args:
        n: number of paired seeds.
        wanted: wanted power, between α and 1.
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
    """Return the fewest seeds that detect a difference with the wanted power; None if ten thousand are not enough.

    Args:
        effect: the true difference in standard deviations of the paired differences.
        wanted: wanted power, between α and 1.
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
