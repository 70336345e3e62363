"""Pure functions on the scores of several seeds: intervals, paired differences, their one-sided bounds, and the words for them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

Verdict = Literal["better", "worse", "equivalent", "undecided", "too few seeds"]
CONFIDENCE = 0.95
ALPHA = 0.05
CLAIM = 3
"""Seeds below which nothing is said about who is better."""
MARGIN = 0.005
"""Half a point: differences smaller than that do not matter, unless a suite says otherwise."""
PERMUTED = 6
"""Seeds from which a sign-flip permutation is made: its smallest p-value is 2/2ⁿ, 0.031 at six."""
_ENUMERATED = 20
_DRAWS = 100_000
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A mean with its n and interval; it never travels without them."""

    mean: float
    n: int
    low: float | None
    """Lower end of the 95 % interval; None at n = 1."""
    high: float | None
    """Upper end; None at n = 1."""
    deviation: float | None
    """Standard deviation over seeds, n − 1 in the denominator; None at n = 1."""


def estimate(values: Sequence[float]) -> Estimate:
    """Give mean and Student t interval, mean ± t(n−1, .975)·s/√n.

    A percentile bootstrap over 3 to 10 seeds covers 75 to 90 % instead of 95 %; t covers 95 % for normal seed effects.

    Args:
        values: one a seed, shape [n], n ≥ 1.

    Raises:
        ValueError: there are no values, or one is not finite.
    """
    numbers = [float(value) for value in values]
    n = len(numbers)
    if not numbers or not all(map(math.isfinite, numbers)):
        message = "an estimate needs at least one finite value"
        raise ValueError(message)
    # Equal values are their own mean, to the last bit: rounding must not look like noise.
    mean = numbers[0] if min(numbers) == max(numbers) else math.fsum(numbers) / n
    if n == 1:
        return Estimate(mean, 1, None, None, None)
    deviation = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / (n - 1))
    half = t_quantile(n - 1, (1 + CONFIDENCE) / 2) * deviation / math.sqrt(n)
    return Estimate(mean, n, mean - half, mean + half, deviation)


def lower_bound(values: Sequence[float], alpha: float = ALPHA) -> float:
    """Give what the true mean is above with probability 1 − α: mean − t(n−1, 1−α)·s/√n; −∞ at n = 1.

    Where all values are equal it is the mean itself, which says nothing about their noise.

    Args:
        values: one a seed, such as paired differences, shape [n], n ≥ 1.
        alpha: chance that the true mean is below.

    Raises:
        ValueError: there are no values, or one is not finite.
    """
    found = estimate(values)
    return found.mean - half_width(found, alpha)


def upper_bound(values: Sequence[float], alpha: float = ALPHA) -> float:
    """Give what the true mean is below with probability 1 − α; see `lower_bound`."""
    found = estimate(values)
    return found.mean + half_width(found, alpha)


def half_width(found: Estimate, alpha: float) -> float:
    """Give t(n−1, 1−α)·s/√n, the distance of a one-sided bound from the mean; ∞ at n = 1."""
    if found.deviation is None:
        return math.inf
    return t_quantile(found.n - 1, 1 - alpha) * found.deviation / math.sqrt(found.n)


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class NewItems:
    """What may be said of a difference on other test items too, not only with other seeds."""

    interval: Interval
    """Over seeds and items."""
    p: float | None
    """Two-sided; None where every item came out the same."""
    verdict: Verdict
    """The word at the same margin."""
    items: int
    """Test items."""
    groups: int | None = None
    """Groups of items that belong together, such as speakers; None where every item stands for itself."""


@dataclass(frozen=True)
class Difference:
    """Two strategies on the same seeds, second less first."""

    estimate: Estimate
    """The mean of the paired differences."""
    p: float | None
    """Two-sided paired t-test; 1 where all differences are zero, None at n = 1 and where all are equal and not zero."""
    verdict: Verdict
    """What may be said of this test set at the margin of equivalence, before any correction for many comparisons."""
    margin: float = MARGIN
    """The largest difference that does not matter."""
    new_items: NewItems | None = None
    """The same with other test items too; None where `unknown` says why not."""
    unknown: str = ""
    """Why nothing is said about other test items."""


def paired(
    first: Sequence[float], second: Sequence[float], margin: float = MARGIN, *, lower: bool = False
) -> Difference:
    """Compare scores on shared seeds; higher is better, or `lower` is.

    The verdict is `equivalent` where the 90 % interval lies inside ± margin (two one-sided tests, Schuirmann 1987), else
    `better` or `worse` where the 95 % interval leaves out zero, else `undecided`; under three seeds `too few seeds`. Differences
    that are all equal and not zero are `undecided`: scores that come in coarse steps tell nothing of their noise then.

    Args:
        first: scores of the baseline, shape [n], in the order of the seeds.
        second: scores of the other, shape [n].
        margin: the largest difference that does not matter, in the unit of the scores.
        lower: whether a lower score is better; the difference stays second less first.

    Raises:
        ValueError: the two are not of one length, or empty, or one is not finite.
    """
    (found,) = all_paired(np.asarray([first], float).T, np.asarray([second], float).T, margin, lower=lower)
    return found


def all_paired(
    first: NDArray[np.float64], second: NDArray[np.float64], margin: float = MARGIN, *, lower: bool = False
) -> list[Difference]:
    """Compare many pairs on the same seeds; see `paired`.

    Args:
        first: scores of the baselines, shape [n, pairs], in the order of the seeds.
        second: scores of the others, shape [n, pairs].
        margin: the largest difference that does not matter, in the unit of the scores.
        lower: whether a lower score is better.

    Raises:
        ValueError: the two are not of one shape, or empty, or one is not finite.
    """
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
        _told(Estimate(center, n, low, high, spread), chance, narrow, wide, margin, lower=lower)
        for center, low, high, spread, chance, narrow, wide in zip(*columns, strict=True)
    ]


def _told(
    found: Estimate, p: float | None, half_90: float, half_95: float, margin: float, *, lower: bool
) -> Difference:
    if found.deviation:
        verdict = judged(found.mean, half_90, half_95, margin, lower=lower)
    else:
        p, verdict = (None, "undecided") if found.mean else (1.0, "equivalent")
    return Difference(found, p, verdict if found.n >= CLAIM else "too few seeds", margin)


def paired_differences(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Subtract scores on shared seeds, second less first, shape [n] or [n, pairs]; what differs by rounding alone is made equal.

    0.9 − 0.8 and 0.7 − 0.6 are the same difference; their last bits are no noise of seeds.

    Raises:
        ValueError: the two are not of one shape.
    """
    one, other = np.asarray(first, float), np.asarray(second, float)
    if one.shape != other.shape:
        message = f"paired scores need the same seeds: {len(one)} and {len(other)}"
        raise ValueError(message)
    found: NDArray[np.float64] = other - one
    if not len(found):
        return found
    rounding = _ROUNDING * np.maximum(np.abs(one).max(0), np.abs(other).max(0))
    middle = (found.max(0) + found.min(0)) / 2
    return np.where(np.ptp(found, 0) <= rounding, np.where(np.abs(middle) <= rounding, 0.0, middle), found)


def judged(mean: float, half_90: float, half_95: float, margin: float, *, lower: bool) -> Verdict:
    """Put a difference into a word: see `paired`.

    Args:
        mean: second less first.
        half_90: half the width of its 90 % interval.
        half_95: half the width of its 95 % interval.
        margin: the largest difference that does not matter.
        lower: whether a lower score is better.
    """
    if abs(mean) + half_90 < margin:
        return "equivalent"
    if abs(mean) > half_95:
        return "better" if (mean > 0) != lower else "worse"
    return "undecided"


def sign_flip(differences: Sequence[float], seed: int = 0) -> float | None:
    """Give the two-sided p-value of the sign-flip permutation of the mean, which assumes symmetry alone.

    Exact over all 2ⁿ signs up to twenty differences, else over 100,000 drawn ones; None under six, where no p-value below 0.05
    can come out.

    Args:
        differences: paired differences, shape [n].
        seed: of the signs that are drawn.
    """
    values = np.asarray(differences, float)
    if values.size < PERMUTED:
        return None
    observed = abs(values.sum()) - _ROUNDING * np.abs(values).sum()
    if values.size <= _ENUMERATED:
        # The first sign may stay: the other half of the sums mirrors this one.
        sums = values[:1]
        for value in values[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return float((np.abs(sums) >= observed).mean())
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (_DRAWS, values.size))
    return float((np.count_nonzero(np.abs(signs @ values) >= observed) + 1) / (_DRAWS + 1))


@cache
def t_quantile(df: float, probability: float) -> float:
    """Give the quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def t_tail(df: float, value: float) -> float:
    """Give P(T > value), accurate far out, where 1 − P(T ≤ value) is not."""
    from scipy.special import stdtr

    return float(stdtr(df, -value))
