"""Power of the paired t-test: detectable differences and seeds needed, in standard deviations of the differences."""

from __future__ import annotations

import math

from .estimates import ALPHA, t_quantile

POWER = 0.8
_USUAL = {
    3: 3.2640435496995712,
    4: 2.1279493432578,
    5: 1.6819969659555543,
    6: 1.4345447820404011,
    7: 1.272566655454197,
    8: 1.1560346779947335,
    9: 1.0669732162169616,
    10: 0.9960013714554437,
}
"""`detectable` at its defaults, for the usual numbers of seeds: `ftbench plan` shows it without importing scipy."""
LARGEST = 10_000
"""Largest number of seeds that `seeds_for` considers."""


def power_of(effect: float, n: int, alpha: float = ALPHA, df: float | None = None) -> float:
    """Return the probability that a two-sided paired t-test of n seeds detects a difference.

    P(|T'| > t(df, 1−α/2)), with T' noncentral t and noncentrality effect·√n (Cohen 1988, section 2).

    Args:
        effect: the true difference in standard deviations of the paired differences, d_z.
        n: number of pairs, at least 2.
        alpha: level of the test.
        df: degrees of freedom of the standard error; n − 1 by default, more if other pairs inform it.

    Raises:
        ValueError: if there are fewer than two pairs.
    """
    from scipy.special import nctdtr

    if n < 2:
        message = f"a paired test needs at least two pairs, got {n}"
        raise ValueError(message)
    free = n - 1 if df is None else df
    critical, shift = t_quantile(free, 1 - alpha / 2), abs(effect) * math.sqrt(n)
    found = float(1 - nctdtr(free, shift, critical) + nctdtr(free, shift, -critical))
    if math.isnan(found):
        # `nctdtr` fails in the far lower tail, for large effects on few degrees of freedom: that tail is below 1e-9.
        from scipy import stats

        found = float(stats.nct.sf(critical, free, shift))
    return found


def detectable(n: int, wanted: float = POWER, alpha: float = ALPHA, df: float | None = None) -> float | None:
    """Return the smallest true difference that n seeds detect with the wanted power.

    In standard deviations of the paired differences, solved numerically from `power_of`. None for fewer than two seeds.

    Args:
        n: number of paired seeds.
        wanted: wanted power, between α and 1.
        alpha: level of the two-sided test.
        df: degrees of freedom of the standard error; n − 1 by default.
    """
    if n < 2:
        return None
    if df is None and (wanted, alpha) == (POWER, ALPHA) and n in _USUAL:
        return _USUAL[n]
    return _smallest(n, wanted, alpha, n - 1 if df is None else df)


def _smallest(n: int, wanted: float, alpha: float, df: float) -> float:
    small, large = 0.0, 1.0
    while power_of(large, n, alpha, df) < wanted:
        small, large = large, 2 * large
    while (middle := (small + large) / 2) not in (small, large):
        small, large = (small, middle) if power_of(middle, n, alpha, df) >= wanted else (middle, large)
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
