"""Estimates from the scores of several seeds: intervals, one-sided bounds, paired differences and their verdicts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray


Verdict = Literal["better", "worse", "equivalent", "undecided", "too few seeds"]
CONFIDENCE = 0.95
ALPHA = 0.05
CLAIM = 3
"""Fewest seeds for a claim that one strategy is better."""
MARGIN = 0.005
"""Half a point: smaller differences do not matter, unless the suite sets another margin."""
MIN_SIGN_FLIPS = 6
"""Fewest seeds for a sign-flip permutation test: its smallest p-value is 2/2ⁿ, 0.031 for six seeds."""
_MAX_ENUMERATED = 20
_DRAWS = 100_000
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A mean with its sample size and 95 % interval."""

    mean: float
    n: int
    low: float | None
    """Lower end of the 95 % interval; None if n = 1."""
    high: float | None
    """Upper end; None if n = 1."""
    deviation: float | None
    """Standard deviation over seeds, n − 1 in the denominator; None if n = 1."""
    error: float | None = None
    """Standard error of the mean; None for deviation/√n. A moderated error also uses the variances of others."""
    df: float | None = None
    """Degrees of freedom of the error; None for n − 1."""

    @property
    def moderated(self) -> bool:
        """Whether the variances of others inform the error, so that two seeds are enough for a claim."""
        return self.df is not None and self.df > self.n - 1

    @property
    def claimable(self) -> bool:
        """Whether there are enough seeds for a claim."""
        return self.n >= CLAIM or (self.moderated and self.n > 1)


def estimate(values: Sequence[float]) -> Estimate:
    """Compute the mean and the Student t interval, mean ± t(n−1, .975)·s/√n.

    Over 3 to 10 seeds, a percentile bootstrap covers 75 to 90 % instead of 95 %. Student's t covers 95 % if seed
    effects are normal.

    Args:
        values: one value per seed, shape [n], n ≥ 1.

    Raises:
        ValueError: if there are no values, or one is not finite.
    """
    numbers = [float(value) for value in values]
    n = len(numbers)
    if not numbers or not all(map(math.isfinite, numbers)):
        message = "an estimate needs at least one finite value"
        raise ValueError(message)
    # If all values are equal, the mean is exactly that value: rounding must not look like noise.
    mean = numbers[0] if min(numbers) == max(numbers) else math.fsum(numbers) / n
    if n == 1:
        return Estimate(mean, 1, None, None, None)
    deviation = math.sqrt(math.fsum([(number - mean) ** 2 for number in numbers]) / (n - 1))
    half = t_quantile(n - 1, (1 + CONFIDENCE) / 2) * deviation / math.sqrt(n)
    return Estimate(mean, n, mean - half, mean + half, deviation)


def lower_bound(values: Sequence[float], alpha: float = ALPHA) -> float:
    """Return the one-sided lower confidence bound of the mean, mean − t(n−1, 1−α)·s/√n; −∞ if n = 1.

    The true mean is above it with probability 1 − α. If all values are equal the bound is the mean itself, because
    their noise cannot be estimated.

    Args:
        values: one value per seed, such as paired differences, shape [n], n ≥ 1.
        alpha: probability that the true mean is below the bound.

    Raises:
        ValueError: if there are no values, or one is not finite.
    """
    found = estimate(values)
    return found.mean - half_width(found, alpha)


def upper_bound(values: Sequence[float], alpha: float = ALPHA) -> float:
    """Return the one-sided upper confidence bound of the mean; see `lower_bound`."""
    found = estimate(values)
    return found.mean + half_width(found, alpha)


def half_width(found: Estimate, alpha: float) -> float:
    """Return t(df, 1−α) times the standard error, the distance of a one-sided bound from the mean; ∞ if n = 1."""
    if found.deviation is None:
        return math.inf
    if found.error is not None and found.df is not None:
        return t_quantile(found.df, 1 - alpha) * found.error
    return t_quantile(found.n - 1, 1 - alpha) * found.deviation / math.sqrt(found.n)


def one_sided_p(found: Estimate) -> float | None:
    """Return P(T > mean/error), the p-value of the hypothesis that the true mean is not above zero.

    None if n = 1; 0, 0.5 or 1 if the error is zero.
    """
    if found.deviation is None:
        return None
    error = found.deviation / math.sqrt(found.n) if found.error is None else found.error
    if error == 0:
        return 0.5 if found.mean == 0 else float(found.mean < 0)
    return t_tail(found.n - 1 if found.df is None else found.df, found.mean / error)


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class NewItems:
    """A difference generalised to new test items as well as new seeds."""

    interval: Interval
    """Over seeds and items."""
    p: float | None
    """Two-sided; None if all items have the same difference and it is not zero."""
    verdict: Verdict
    """Verdict at the same margin."""
    items: int
    """Number of test items."""
    groups: int | None = None
    """Number of groups of related items, such as speakers; None if items are independent."""


@dataclass(frozen=True)
class Difference:
    """Difference of two strategies on the same seeds, second minus first."""

    estimate: Estimate
    """Mean of the paired differences."""
    p: float | None
    """Two-sided paired t-test; 1 if all differences are zero, None if n = 1 or all are equal and not zero."""
    verdict: Verdict
    """Verdict for this test set at the equivalence margin, before any correction for multiple comparisons."""
    margin: float = MARGIN
    """Largest difference that does not matter."""
    new_items: NewItems | None = None
    """The difference on new test items; None if it is unknown, see `unknown`."""
    unknown: str = ""
    """Why the difference on new test items is unknown."""


def paired(
    first: Sequence[float], second: Sequence[float], margin: float = MARGIN, *, lower: bool = False
) -> Difference:
    """Compare two strategies on the seeds they share.

    The verdict is

    * `too few seeds` with fewer than three seeds;
    * `equivalent` if the 90 % interval is within ± margin (two one-sided tests, Schuirmann 1987);
    * otherwise `better` or `worse` if the 95 % interval excludes zero;
    * otherwise `undecided`. Differences that are all equal and not zero are `undecided` too: if scores move in coarse
      steps, equal differences do not show how large the noise is.

    Args:
        first: scores of the baseline, shape [n], in the order of the seeds.
        second: scores of the other strategy, shape [n].
        margin: largest difference that does not matter, in the unit of the scores.
        lower: whether a lower score is better; the difference is second minus first in either case.

    Raises:
        ValueError: if the two differ in length or are empty, or a score is not finite.
    """
    import numpy as np

    (found,) = all_paired(np.asarray([first], float).T, np.asarray([second], float).T, margin, lower=lower)
    return found


def all_paired(
    first: NDArray[np.float64], second: NDArray[np.float64], margin: float = MARGIN, *, lower: bool = False
) -> list[Difference]:
    """Compare many pairs of strategies on the same seeds; see `paired`.

    Args:
        first: scores of the baselines, shape [n, pairs], in the order of the seeds.
        second: scores of the other strategies, shape [n, pairs].
        margin: largest difference that does not matter, in the unit of the scores.
        lower: whether a lower score is better.

    Raises:
        ValueError: if the two differ in shape or are empty, or a score is not finite.
    """
    import numpy as np
    from scipy.special import stdtr

    with np.errstate(invalid="ignore", over="ignore"):
        differences = paired_differences(first, second)
    n = len(differences)
    if n == 0 or not np.isfinite(differences).all():
        message = "a difference needs at least one finite value"
        raise ValueError(message)
    mean = np.where(np.ptp(differences, 0) == 0, differences[0], differences.sum(0) / n)
    if n == 1:
        return [Difference(Estimate(one, 1, None, None, None), None, "too few seeds", margin) for one in mean.tolist()]
    deviation = np.sqrt(((differences - mean) ** 2).sum(0) / (n - 1))
    half_90, half_95 = (t_quantile(n - 1, 1 - alpha) * deviation / math.sqrt(n) for alpha in (ALPHA, ALPHA / 2))
    p = 2 * stdtr(n - 1, -np.abs(mean) / np.where(deviation == 0, 1.0, deviation / math.sqrt(n)))
    columns = (column.tolist() for column in (mean, mean - half_95, mean + half_95, deviation, p, half_90, half_95))
    return [
        difference_of(Estimate(center, n, low, high, spread), chance, narrow, wide, margin, lower=lower)
        for center, low, high, spread, chance, narrow, wide in zip(*columns, strict=True)
    ]


def difference_of(
    found: Estimate, p: float | None, half_90: float, half_95: float, margin: float, *, lower: bool
) -> Difference:
    """Return a difference with its verdict, from half the widths of its 90 % and 95 % intervals; see `paired`."""
    if found.error if found.error is not None else found.deviation:
        verdict = verdict_of(found.mean, half_90, half_95, margin, lower=lower)
    else:
        p, verdict = (None, "undecided") if found.mean else (1.0, "equivalent")
    return Difference(found, p, verdict if found.claimable else "too few seeds", margin)


def judged(found: Estimate, margin: float = MARGIN, *, lower: bool = False) -> Difference:
    """Return an estimate of a difference with its p-value and verdict; see `paired`."""
    error = found.error if found.error is not None else (found.deviation or 0.0) / math.sqrt(found.n)
    if found.deviation is None:
        return Difference(found, None, "too few seeds", margin)
    p = 2 * t_tail(found.n - 1 if found.df is None else found.df, abs(found.mean) / error) if error else None
    half_90, half_95 = (half_width(found, alpha) for alpha in (ALPHA, ALPHA / 2))
    return difference_of(found, p, half_90, half_95, margin, lower=lower)


def paired_differences(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return second minus first on shared seeds, shape [n] or [n, pairs], without rounding noise.

    Differences that vary by rounding alone are made equal: 0.9 − 0.8 and 0.7 − 0.6 are the same difference, and their
    last bits are not seed noise. Missing scores (NaN) stay missing.

    Raises:
        ValueError: if the two differ in shape.
    """
    import numpy as np

    one, other = np.asarray(first, float), np.asarray(second, float)
    if one.shape != other.shape:
        message = f"paired scores need the same seeds: {len(one)} and {len(other)}"
        raise ValueError(message)
    found: NDArray[np.float64] = other - one
    if not len(found):
        return found
    rounding = _ROUNDING * np.maximum(np.fmax.reduce(np.abs(one)), np.fmax.reduce(np.abs(other)))
    most, least = np.fmax.reduce(found), np.fmin.reduce(found)
    middle = (most + least) / 2
    level = np.where(np.isnan(found), np.nan, np.where(np.abs(middle) <= rounding, 0.0, middle))
    return np.where(most - least <= rounding, level, found)


def verdict_of(mean: float, half_90: float, half_95: float, margin: float, *, lower: bool) -> Verdict:
    """Return the verdict on a difference of three or more seeds; see `paired`.

    Args:
        mean: mean difference, second minus first.
        half_90: half the width of its 90 % interval.
        half_95: half the width of its 95 % interval.
        margin: largest difference that does not matter.
        lower: whether a lower score is better.
    """
    if abs(mean) + half_90 < margin:
        return "equivalent"
    if abs(mean) > half_95:
        return "better" if (mean > 0) != lower else "worse"
    return "undecided"


def sign_flip(differences: Sequence[float], seed: int = 0) -> float | None:
    """Return the two-sided p-value of the sign-flip permutation test of the mean, which assumes only symmetry.

    The test is exact over all 2ⁿ signs for up to twenty differences, and uses 100,000 random draws for more. The result
    is None for fewer than six differences, because no p-value below 0.05 is possible.

    Args:
        differences: paired differences, shape [n].
        seed: seed of the random signs.
    """
    import numpy as np

    values = np.asarray(differences, float)
    if values.size < MIN_SIGN_FLIPS:
        return None
    observed = abs(values.sum()) - _ROUNDING * np.abs(values).sum()
    if values.size <= _MAX_ENUMERATED:
        # The first sign stays fixed: flipping all signs only mirrors the sums.
        sums = values[:1]
        for value in values[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return float((np.abs(sums) >= observed).mean())
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (_DRAWS, values.size))
    return float((np.count_nonzero(np.abs(signs @ values) >= observed) + 1) / (_DRAWS + 1))


@cache
def t_quantile(df: float, probability: float) -> float:
    """Return a quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def t_tail(df: float, value: float) -> float:
    """Return P(T > value), accurate far in the tail, where 1 − P(T ≤ value) is not."""
    from scipy.special import stdtr

    return float(stdtr(df, -value))
