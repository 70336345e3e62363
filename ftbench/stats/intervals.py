"""Confidence intervals of means that stay inside the range of their quantity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .estimates import ALPHA, Estimate, Interval, t_quantile
from .moderation import moderated_variances

if TYPE_CHECKING:
    from collections.abc import Sequence

_Z = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Range:
    """The values that a quantity can have; None is no bound."""

    low: float | None = None
    high: float | None = None

    def holds(self, value: float) -> bool:
        """Return whether a value is in the range."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


SHARE = Range(0.0, 1.0)
POSITIVE = Range(0.0, None)
ANY = Range()


def interval_of(found: Estimate, within: Range = ANY, *, items: int = 0, alpha: float = ALPHA) -> Interval | None:
    """Return the 1 − α interval of a mean, inside its range; None if n = 1.

    Between two bounds the interval is symmetric on the logit scale, above or below one bound on the logarithmic scale,
    with the standard error of the delta method. At a bound, where that error is not defined, it is Wilson's for shares
    (1927), as if all `items` were right or wrong.

    Args:
        found: the mean, with its standard error and degrees of freedom.
        within: range of the quantity.
        items: number of test items behind each value; 0 if unknown.
        alpha: probability that the interval misses the true mean.
    """
    if found.deviation is None:
        return None
    error = found.deviation / math.sqrt(found.n) if found.error is None else found.error
    quantile = t_quantile(found.n - 1 if found.df is None else found.df, 1 - alpha / 2)
    if not within.holds(found.mean):
        within = ANY
    low, high = within.low, within.high
    if low is not None and high is not None:
        share = (found.mean - low) / (high - low)
        ends = _share_ends(share, error / (high - low), quantile, items)
        return Interval(low + (high - low) * ends.low, low + (high - low) * ends.high)
    if low is not None:
        return _ratio_ends(found.mean, low, error, quantile, items)
    if high is not None:
        mirrored = _ratio_ends(-found.mean, -high, error, quantile, items)
        return Interval(-mirrored.high, -mirrored.low)
    return Interval(found.mean - quantile * error, found.mean + quantile * error)


def _share_ends(share: float, error: float, quantile: float, items: int) -> Interval:
    if share in (0.0, 1.0):
        beyond = _Z**2 / (items + _Z**2) if items else 0.0
        return Interval(0.0, beyond) if share == 0 else Interval(1 - beyond, 1.0)
    half, odds = quantile * error / (share * (1 - share)), math.log(share / (1 - share))
    return Interval(_expit(odds - half), _expit(odds + half))


def _ratio_ends(mean: float, low: float, error: float, quantile: float, items: int) -> Interval:
    above = mean - low
    if above == 0:
        return Interval(low, low + (_Z**2 / (items + _Z**2) if items else 0.0))
    factor = math.exp(min(quantile * error / above, 700.0))
    return Interval(low + above / factor, low + above * factor)


def _expit(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0


def moderated_estimates(values: Sequence[Sequence[float]], step: float = 0.0) -> list[Estimate]:
    """Return the mean of each strategy over its seeds, with a standard error that all variances inform.

    A prior is fitted to the variances of all strategies; see `ftbench.stats.moderation`. A strategy that visibly
    scatters more than the others keeps its own variance.

    Args:
        values: scores of each strategy, one per seed; each has at least one.
        step: smallest possible change of a score; no variance is below its square.

    Returns:
        One estimate per strategy, without interval: see `interval_of`.
    """
    means = [own[0] if min(own) == max(own) else math.fsum(own) / len(own) for own in values]
    found = [Estimate(mean, len(own), None, None, None) for mean, own in zip(means, values, strict=True)]
    several = [index for index, own in enumerate(values) if len(own) > 1]
    if not several:
        return found
    df = np.array([len(values[index]) - 1.0 for index in several])
    variances = np.array([_variance(values[index], means[index]) for index in several])
    moderated, free = moderated_variances(variances, df, step)
    for index, variance, used, own_df in zip(
        several, variances.tolist(), moderated.tolist(), free.tolist(), strict=True
    ):
        n = len(values[index])
        found[index] = Estimate(means[index], n, None, None, math.sqrt(variance), math.sqrt(used / n), own_df)
    return found


def _variance(values: Sequence[float], mean: float) -> float:
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
