"""Rank statistics of many strategies on many tasks.

Tasks are the blocks; the score of a strategy on a task is its mean over seeds, and higher is better.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .estimates import ALPHA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DRAWS = 10_000
_DIGITS = 12
_SMALL_PRODUCT = 2**18
"""Multiplications of a matrix product that OpenBLAS does not share among threads."""


@dataclass(frozen=True)
class Friedman:
    """Result of a test whether strategies differ in rank at all."""

    chi_squared: float
    """Friedman's statistic, corrected for ties."""
    f: float
    """Statistic of Iman and Davenport; infinite if all tasks have the same ranking."""
    p: float
    """p-value of `f`."""


def ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks along the last axis, 1 for the highest score.

    Ties share their mean rank. Scores that differ by rounding alone are tied.
    """
    rounded = np.round(scores, _DIGITS)
    order = np.argsort(-rounded, axis=-1)
    falling = np.take_along_axis(rounded, order, -1)
    count = falling.shape[-1]
    lower = np.ones((*falling.shape[:-1], count + 1), bool)
    lower[..., 1:-1] = falling[..., 1:] < falling[..., :-1]
    position = np.arange(count)
    first = np.maximum.accumulate(np.where(lower[..., :-1], position, 0), axis=-1)
    last = np.minimum.accumulate(np.where(lower[..., 1:], position, count)[..., ::-1], axis=-1)[..., ::-1]
    found = np.empty(falling.shape)
    np.put_along_axis(found, order, 1 + (first + last) / 2, -1)
    return found


def resampled(scores: NDArray[np.float64], draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return bootstrap means over seeds; each draw uses the same seeds for all strategies.

    The standard deviation of a mean of n values drawn with replacement is too small by √((n − 1)/n); at three seeds, a
    third of the variance is missing. The distance of each draw from the mean is stretched to correct for this. With one
    seed, every draw is the score itself.

    Args:
        scores: shape [seeds, strategies].
        draws: number of draws.
        rng: random generator that draws the seeds.

    Returns:
        Shape [draws, strategies].
    """
    return means_of_draws(scores, drawn_times(len(scores), draws, rng))


def drawn_times(seeds: int, draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how often each draw has each of the seeds, shape [draws, seeds]."""
    if seeds == 1:
        return np.ones((draws, 1))
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws).astype(float)


def means_of_draws(scores: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the stretched mean of each draw; see `resampled` and `drawn_times`."""
    seeds, mean = len(scores), scores.mean(0)
    if seeds == 1:
        return np.repeat(scores, len(times), axis=0)
    stretch = math.sqrt(seeds / (seeds - 1))
    found, distances = np.empty((len(times), scores.shape[1])), (scores - mean) * (stretch / seeds)
    # OpenBLAS makes small products in this thread; its other threads would wait for longer than they work. Its blocks
    # of rows divide 48.
    rows = max(1, _SMALL_PRODUCT // max(1, scores.size) // 48) * 48
    for start in range(0, len(times), rows):
        np.matmul(times[start : start + rows], distances, out=found[start : start + rows])
    found += mean
    return found


def rank_draws(blocks: Sequence[NDArray[np.float64]], draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """Return mean ranks from a hierarchical bootstrap: tasks with replacement, and paired seeds within each task.

    Args:
        blocks: scores of one task each, shape [seeds of the task, strategies].
        draws: number of draws.
        seed: seed of the draws.

    Returns:
        Mean ranks over tasks, shape [draws, strategies].
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(blocks), size=(draws, len(blocks)))
    total = np.zeros((draws, blocks[0].shape[1]))
    for task, block in enumerate(blocks):
        rows, _ = np.nonzero(drawn == task)
        np.add.at(total, rows, ranks(resampled(block, len(rows), rng)))
    return total / len(blocks)


def friedman(scores: NDArray[np.float64]) -> Friedman:
    """Test whether all strategies have the same mean rank (Friedman 1937), with Iman and Davenport's statistic (1980).

    With N tasks and k strategies, F = (N − 1)χ²/(N(k − 1) − χ²) on k − 1 and (k − 1)(N − 1) degrees of freedom. If all
    tasks have the same ranking, p is the probability of that, k!^−(N − 1).

    Args:
        scores: shape [tasks, strategies], at least 2 × 3.

    Raises:
        ValueError: if there are fewer tasks or strategies.
    """
    from scipy.special import fdtrc

    n, k = scores.shape
    if n < 2 or k < 3:
        message = f"at least two tasks and three strategies are needed, got {n} and {k}"
        raise ValueError(message)
    found = ranks(scores)
    spread = float(((found.sum(0) - n * (k + 1) / 2) ** 2).sum())
    within = float((found**2).sum()) - n * k * (k + 1) ** 2 / 4
    if within == 0:
        return Friedman(0.0, 0.0, 1.0)
    chi_squared = (k - 1) * spread / within
    remainder = n * (k - 1) - chi_squared
    if remainder <= 1e-9:
        return Friedman(chi_squared, math.inf, math.factorial(k) ** -(n - 1.0))
    f = (n - 1) * chi_squared / remainder
    return Friedman(chi_squared, f, float(fdtrc(k - 1, (k - 1) * (n - 1), f)))


def wilcoxon(scores: NDArray[np.float64]) -> dict[tuple[int, int], float]:
    """Return the uncorrected p-value of each pair from Wilcoxon's signed-rank test over tasks (1945).

    The p-values are exact if there are no ties.

    Args:
        scores: shape [tasks, strategies].
    """
    from scipy import stats

    found = {}
    for one, other in itertools.combinations(range(scores.shape[1]), 2):
        differences = np.round(scores[:, one] - scores[:, other], _DIGITS)
        found[one, other] = float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0
    return found


def tasks_needed(k: int, alpha: float = ALPHA) -> int:
    """Return the fewest tasks on which two of k strategies can differ significantly: ⌈log₂(k(k − 1)/α)⌉.

    With fewer, the smallest p-value of Wilcoxon's test, Holm-corrected over all pairs, is not below α.
    """
    return math.ceil(math.log2(k * (k - 1) / alpha))


def critical_difference(k: int, n: int, alpha: float = ALPHA) -> float:
    """Return the difference of mean ranks above which two of k strategies differ significantly on n tasks.

    q(k, ∞)/√2 · √(k(k + 1)/(6n)), q the studentized range (Nemenyi 1963; Demšar 2006, section 3.2.2).
    """
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - alpha, k, np.inf)) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n))
