"""Many strategies on many tasks, by their ranks: tasks are the blocks, scores of a task its means over seeds; higher is better."""

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


@dataclass(frozen=True)
class Friedman:
    """Whether ranks differ at all."""

    chi_squared: float
    """Friedman's statistic, corrected for ties."""
    f: float
    """Iman and Davenport's; infinite where all tasks rank alike."""
    p: float
    """Of `f`."""


def ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank along the last axis, 1 the best, ties sharing their mean; scores that differ by rounding alone are tied."""
    rounded = np.round(scores, _DIGITS)
    order = np.argsort(-rounded, axis=-1)
    falling = np.take_along_axis(rounded, order, -1)
    count = falling.shape[-1]
    lower = np.ones((*falling.shape[:-1], count + 1), bool)
    lower[..., 1:-1] = falling[..., 1:] < falling[..., :-1]
    place = np.arange(count)
    first = np.maximum.accumulate(np.where(lower[..., :-1], place, 0), axis=-1)
    last = np.minimum.accumulate(np.where(lower[..., 1:], place, count)[..., ::-1], axis=-1)[..., ::-1]
    found = np.empty(falling.shape)
    np.put_along_axis(found, order, 1 + (first + last) / 2, -1)
    return found


def resampled(scores: NDArray[np.float64], draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw means over seeds, the same seeds for all strategies.

    A mean of n values drawn with replacement scatters by √((n − 1)/n) too little, a third of its variance at three seeds; its distance
    from the mean is stretched by as much. One seed gives the mean itself.

    Args:
        scores: shape [seeds, strategies].
        draws: how many.
        rng: draws the seeds.

    Returns:
        Shape [draws, strategies].
    """
    seeds, mean = len(scores), scores.mean(0)
    if seeds == 1:
        return np.repeat(scores, draws, axis=0)
    times = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    stretch = math.sqrt(seeds / (seeds - 1))
    found: NDArray[np.float64] = times @ ((scores - mean) * (stretch / seeds))
    found += mean
    return found


def rank_draws(blocks: Sequence[NDArray[np.float64]], draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """Draw mean ranks by a hierarchical bootstrap: tasks with replacement, and within each the seeds, paired.

    Args:
        blocks: one a task, shape [its seeds, strategies].
        draws: how many.
        seed: of the draws.

    Returns:
        Mean ranks over tasks, shape [draws, strategies].
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(blocks), size=(draws, len(blocks)))
    total = np.zeros((draws, blocks[0].shape[1]))
    for place, block in enumerate(blocks):
        rows, _ = np.nonzero(drawn == place)
        np.add.at(total, rows, ranks(resampled(block, len(rows), rng)))
    return total / len(blocks)


def friedman(scores: NDArray[np.float64]) -> Friedman:
    """Test whether all strategies rank alike (Friedman 1937), with the statistic of Iman and Davenport (1980).

    With N tasks and k strategies, F = (N − 1)χ²/(N(k − 1) − χ²) on k − 1 and (k − 1)(N − 1) degrees of freedom. Where all tasks rank
    alike, p is the chance of it, k!^−(N − 1).

    Args:
        scores: shape [tasks, strategies], at least 2 × 3.

    Raises:
        ValueError: there are fewer.
    """
    from scipy.special import fdtrc

    n, k = scores.shape
    if n < 2 or k < 3:
        message = f"two tasks and three strategies are needed, got {n} and {k}"
        raise ValueError(message)
    found = ranks(scores)
    spread = float(((found.sum(0) - n * (k + 1) / 2) ** 2).sum())
    within = float((found**2).sum()) - n * k * (k + 1) ** 2 / 4
    if within == 0:
        return Friedman(0.0, 0.0, 1.0)
    chi_squared = (k - 1) * spread / within
    left = n * (k - 1) - chi_squared
    if left <= 1e-9:
        return Friedman(chi_squared, math.inf, math.factorial(k) ** -(n - 1.0))
    f = (n - 1) * chi_squared / left
    return Friedman(chi_squared, f, float(fdtrc(k - 1, (k - 1) * (n - 1), f)))


def wilcoxon(scores: NDArray[np.float64]) -> dict[tuple[int, int], float]:
    """Give the p-value of each pair by Wilcoxon's signed ranks over tasks (1945), exact where there are no ties; uncorrected.

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
    """Give the fewest tasks on which any pair of k strategies could be told apart after Holm: ⌈log₂(k(k − 1)/α)⌉."""
    return math.ceil(math.log2(k * (k - 1) / alpha))


def critical_difference(k: int, n: int, alpha: float = ALPHA) -> float:
    """Give the difference of mean ranks beyond which two of k strategies differ on n tasks.

    q(k, ∞)/√2 · √(k(k + 1)/(6n)), q the studentized range (Nemenyi 1963; Demšar 2006, section 3.2.2).
    """
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - alpha, k, np.inf)) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n))
