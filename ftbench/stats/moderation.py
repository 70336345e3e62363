"""Moderated paired differences: variances of all pairs of a family inform each other (Smyth 2004).

With few seeds, the variance of one paired difference is hardly known: with three seeds its 95 % range spans a factor of
150. All pairs of a task column are noise of the same kind, so a scaled inverse χ² prior is fitted to all their
variances, and each is shrunk towards it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from .estimates import ALPHA, MARGIN, Difference, Estimate, difference_of, paired_differences

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike, NDArray

LOUD = 3.0
"""Mean variance of a strategy's pairs over that of all other pairs from which they keep their own variance where it is
the larger one: it scatters more than twice as much as the others."""
FAR = 5.0
"""Variance of a sample, in that of all others, from which it keeps its own."""
WINSORISED = 0.25
"""Share of the smallest variances that are raised to the next one before the fit. Strategies that answer nearly alike
have tiny differences, which say nothing about the noise of the others (Phipson et al. 2016, section 3)."""
_LEAST = 1e-5
"""Smallest variance in shares of the median, as in limma: the logarithm of zero would ruin the prior."""


@dataclass(frozen=True)
class Prior:
    """Scaled inverse χ² prior of variances."""

    df: float
    """Its weight in degrees of freedom, d₀; 0 if variances do not inform each other, ∞ if they are all equal."""
    variance: float
    """The typical variance, s₀²."""

    def shrunk(self, variances: NDArray[np.float64], df: ArrayLike) -> NDArray[np.float64]:
        """Return posterior variances, (d₀·s₀² + d·s²)/(d₀ + d) (Smyth 2004, equation 4)."""
        own = np.broadcast_to(np.asarray(df, float), variances.shape)
        if self.df == 0:
            return variances
        if math.isinf(self.df):
            return np.full_like(variances, self.variance)
        found: NDArray[np.float64] = (self.df * self.variance + own * variances) / (self.df + own)
        return found

    def limited(self, count: int, df: float) -> Prior:
        """Return the prior with a weight of at most √(2k)·d^1.5.

        From two or three seeds one cannot see that one strategy scatters more than the others.

        Args:
            count: number of strategies, k.
            df: typical degrees of freedom of a variance, d.
        """
        return Prior(min(self.df, math.sqrt(2 * count) * df**1.5), self.variance)


NO_PRIOR = Prior(0.0, math.nan)


def fit_prior(variances: NDArray[np.float64], df: ArrayLike, winsorised: float = 0.0) -> Prior:
    """Fit a prior to sample variances, by the moments of their logarithms (Smyth 2004, section 6.2).

    If the logarithms vary no more than sampling explains, the variances are taken as equal, and pooled.

    Args:
        variances: all above zero, shape [m].
        df: degrees of freedom of each, or of all.
        winsorised: share of the smallest variances that are raised to the next one; the moments are corrected for it.
    """
    if len(variances) < 2:
        return NO_PRIOR
    from scipy.special import digamma, polygamma

    half = np.broadcast_to(np.asarray(df, float), variances.shape) / 2
    logarithms, sampling = np.log(variances) - digamma(half) + np.log(half), float(polygamma(1, half).mean())
    raised = int(winsorised * len(variances))
    if raised:
        logarithms = np.maximum(logarithms, np.partition(logarithms, raised)[raised])
        shift, sampling = _winsorised_moments(raised / len(variances), float(np.median(half)))
        logarithms -= shift
    excess = float(logarithms.var(ddof=1)) - sampling
    if excess <= 0:
        return Prior(math.inf, float(variances.mean()))
    weight = 2 * _inverse_trigamma(excess)
    return Prior(weight, float(np.exp(logarithms.mean() + digamma(weight / 2) - math.log(weight / 2))))


@cache
def _winsorised_moments(share: float, half: float) -> tuple[float, float]:
    """Return by how much winsorising raises the mean of log χ², and the variance that it leaves."""
    from scipy.special import gammaincinv

    quantiles = (np.arange(2000) + 0.5) / 2000
    logarithms = np.log(gammaincinv(half, quantiles))
    raised = np.maximum(logarithms, math.log(gammaincinv(half, share)))
    return float(raised.mean() - logarithms.mean()), float(raised.var())


def _inverse_trigamma(value: float) -> float:
    """Solve trigamma(y) = value by Newton's method, which converges from below (Smyth 2004, appendix)."""
    from scipy.special import polygamma

    # Outside these bounds the asymptotic forms are exact to rounding.
    if value > 1e7:
        return 1 / math.sqrt(value)
    if value < 1e-6:
        return 1 / value
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, y))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, y))
        y += step
        if -step / y < 1e-8:
            break
    return y


def moderated_variances(
    variances: NDArray[np.float64], df: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return moderated variances of independent samples and their degrees of freedom.

    Fewer than three samples have their own variances. One that is far above the others is not shrunk. The degrees of
    freedom stay a little below those of all samples together.

    Args:
        variances: sample variances, shape [m].
        df: degrees of freedom of each, shape [m].
        step: smallest possible change of a value; no variance is below its square.
    """
    floor, count = max(step**2, _LEAST * float(np.median(variances))), len(variances)
    if count < 3 or floor == 0:
        return np.where(variances == 0, step**2, variances), df
    floored = np.maximum(variances, floor)
    prior = fit_prior(floored, df).limited(count, float(np.median(df)))
    others = (floored * df).sum() - floored * df
    loud = floored > FAR * others / (df.sum() - df)
    shrunk = prior.shrunk(floored, df)
    limit = np.maximum(df.sum() * (1 - 0.5 / count), df)
    return np.where(loud, np.maximum(shrunk, floored), shrunk), np.minimum(prior.df + df, limit)


@dataclass(frozen=True, eq=False)
class PairedFamily:
    """Paired differences of all requested pairs of a family, with moderated standard errors; arrays of shape [pairs].

    Pairs that share no seed have n = 0 and NaN elsewhere; with one seed, the error is NaN.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    n: NDArray[np.int64]
    """Number of shared seeds."""
    mean: NDArray[np.float64]
    """Second minus first."""
    variance: NDArray[np.float64]
    """Sample variance of the differences."""
    error: NDArray[np.float64]
    """Standard error of the mean, from the moderated variance."""
    df: NDArray[np.float64]
    """Degrees of freedom of that error."""
    prior: Prior
    scatter: NDArray[np.float64]
    """Standard deviation of each strategy over seeds in those of the others, shape [strategies]; NaN if unknown."""
    scatter_p: NDArray[np.float64]
    """One-sided p-value of the hypothesis that it scatters no more than the others (F-test), shape [strategies]."""

    @cached_property
    def p(self) -> NDArray[np.float64]:
        """Two-sided p-values; NaN if the error is zero or unknown."""
        return 2 * self.tail(np.abs(self.mean))

    def tail(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P(T > mean/error) for each pair."""
        from scipy.special import stdtr

        with np.errstate(divide="ignore", invalid="ignore"):
            found: NDArray[np.float64] = stdtr(self.df, -mean / np.where(self.error > 0, self.error, np.nan))
        return found


def paired_family(
    scores: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    *,
    step: float = 0.0,
    outside: Collection[int] = (),
) -> PairedFamily:
    """Compute moderated paired differences of a family of strategies.

    The prior is fitted to the variances of all pairs of strategies that are not `outside`. Three limits keep false
    alarms rare where variances are not alike:

    * the degrees of freedom are at most those of the residuals of a table of seeds × strategies, (k − 1)(n − 1);
    * the weight of the prior is at most √(2k)·(n − 1)^1.5: from two or three seeds one cannot see that a strategy
      scatters more than the others;
    * pairs of a strategy that visibly scatters more keep their own variance where it is the larger one.

    With two strategies there is no prior, and the result is the paired t-test.

    Args:
        scores: shape [seeds, strategies]; NaN where a strategy has no score for a seed.
        first: column of the first strategy of each pair.
        second: column of the second; differences are second minus first.
        step: smallest possible change of a score, such as one test item; no variance is below its square.
        outside: columns whose pairs neither enter the prior nor use it, such as the untrained model.
    """
    members = [column for column in range(scores.shape[1]) if column not in outside]
    everyone = _differences(scores, *_all_pairs(members))
    usable = everyone.n >= 2
    count = len(members)
    if count < 3 or usable.sum() < 2:
        return _unmoderated(scores, first, second)
    floor = max(step**2, _LEAST * float(np.median(everyone.variance[usable])))
    if floor == 0:
        return _unmoderated(scores, first, second)
    variances, df = np.maximum(everyone.variance[usable], floor), (everyone.n[usable] - 1).astype(float)
    typical = float(np.median(df))
    prior = fit_prior(variances, df, WINSORISED).limited(count, typical)
    ratio, ratio_p = _scatter(scores.shape[1], everyone, usable, variances, typical)

    asked = _differences(scores, first, second)
    inside = np.isin(first, members) & np.isin(second, members) & (asked.n >= 2)
    own_df = np.maximum(asked.n - 1, 0).astype(float)
    own = np.where(inside, np.maximum(asked.variance, floor), asked.variance)
    moderated = prior.shrunk(own, np.maximum(own_df, 1))
    loud = (ratio > LOUD)[first] | (ratio > LOUD)[second]
    moderated = np.where(loud, np.maximum(moderated, own), moderated)
    limit = np.maximum(_residual_df(scores[:, members]), own_df)
    variance = np.where(inside, moderated, asked.variance)
    scatter = np.sqrt(np.maximum(2 * ratio - 1, 0))
    return PairedFamily(
        first,
        second,
        asked.n,
        asked.mean,
        asked.variance,
        np.sqrt(variance / np.maximum(asked.n, 1)),
        np.where(inside, np.minimum(prior.df + own_df, limit), own_df),
        prior,
        scatter,
        ratio_p,
    )


@dataclass(frozen=True, eq=False)
class _Differences:
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


def _all_pairs(members: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, second = np.triu_indices(len(members), 1)
    columns = np.asarray(members, np.int64)
    return columns[first], columns[second]


def _differences(scores: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64]) -> _Differences:
    """Compute the mean and the variance of each pair over its shared seeds."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        found = paired_differences(scores[:, first], scores[:, second])
        n = np.isfinite(found).sum(0)
        mean = np.nansum(found, 0) / n
        equal = np.nanmax(found, 0, initial=-np.inf) == np.nanmin(found, 0, initial=np.inf)
        mean = np.where(equal, np.nanmax(found, 0, initial=-np.inf), mean)
        variance = np.where(equal & (n > 1), 0.0, np.nansum((found - mean) ** 2, 0) / (n - 1))
    return _Differences(first, second, n, mean, np.where(n > 1, variance, np.nan))


def _unmoderated(scores: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64]) -> PairedFamily:
    asked = _differences(scores, first, second)
    unknown = np.full(scores.shape[1], np.nan)
    return PairedFamily(
        first,
        second,
        asked.n,
        asked.mean,
        asked.variance,
        np.sqrt(asked.variance / np.maximum(asked.n, 1)),
        np.maximum(asked.n - 1, 0).astype(float),
        NO_PRIOR,
        unknown,
        unknown,
    )


def _residual_df(scores: NDArray[np.float64]) -> float:
    """Return the residual degrees of freedom of a two-way table, (k − 1)(n − 1) without gaps."""
    known = np.isfinite(scores)
    return float(known.sum() - known.any(0).sum() - known.any(1).sum() + 1)


def _scatter(
    columns: int, pairs: _Differences, usable: NDArray[np.bool_], variances: NDArray[np.float64], df: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, for each strategy, the mean variance of its pairs over that of all others, and the p-value of the ratio.

    With independent strategies of standard deviations σᵢ and σ, the ratio is (σᵢ² + σ²)/(2σ²).
    """
    from scipy.special import fdtrc

    first, second = pairs.first[usable], pairs.second[usable]
    sums, counts = np.zeros(columns), np.zeros(columns)
    for side in (first, second):
        np.add.at(sums, side, variances)
        np.add.at(counts, side, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = (variances.sum() - sums) / (len(variances) - counts)
        ratio = np.where((counts > 0) & (len(variances) > counts), sums / counts / rest, np.nan)
        members = int((counts > 0).sum())
        p = fdtrc(df, max(members - 2, 1) * df, np.maximum(2 * ratio - 1, 0))
    return ratio, np.where(np.isnan(ratio), np.nan, p)


def of_family(family: PairedFamily, margin: float = MARGIN, *, lower: bool = False) -> list[Difference | None]:
    """Return the difference of each pair of a family, with moderated intervals; None for pairs that share no seed.

    With two seeds there is a verdict only if the variances of other pairs inform the error.

    Args:
        family: from `paired_family`.
        margin: largest difference that does not matter, in the unit of the scores.
        lower: whether a lower score is better.
    """
    from scipy.special import stdtrit

    df = np.maximum(family.df, 1)
    half_90, half_95 = (stdtrit(df, 1 - alpha) * family.error for alpha in (ALPHA, ALPHA / 2))
    deviation = np.sqrt(family.variance)
    columns = (
        column.tolist()
        for column in (family.n, family.mean, deviation, family.error, family.df, family.p, half_90, half_95)
    )
    found: list[Difference | None] = []
    for n, mean, spread, error, free, p, narrow, wide in zip(*columns, strict=True):
        if n == 0:
            found.append(None)
        elif n == 1:
            found.append(Difference(Estimate(mean, 1, None, None, None), None, "too few seeds", margin))
        else:
            estimated = Estimate(mean, n, mean - wide, mean + wide, spread, error, free)
            found.append(difference_of(estimated, p, narrow, wide, margin, lower=lower))
    return found
