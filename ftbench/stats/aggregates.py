"""Robust aggregates of many runs: interquartile mean, performance profile and expected best score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .estimates import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


MIN_TASKS, MIN_SEEDS = 10, 3
"""Fewest tasks, and seeds of each task, for an interquartile mean: with fewer runs, quartiles mean little."""
_DRAWS = 2000


def interquartile_mean(scores: NDArray[np.float64]) -> float:
    """Return the mean of the middle half of all runs of all tasks (Agarwal et al. 2021, section 4.3).

    Args:
        scores: all on one scale, shape [seeds, tasks].
    """
    return float(_middle_half_means(np.asarray(scores, float).reshape(1, -1))[0])


def interquartile_interval(scores: NDArray[np.float64], seed: int = 0) -> Interval:
    """Return the 95 % percentile bootstrap interval of the interquartile mean.

    Seeds are resampled within each task (Agarwal et al. 2021, section 4.1).

    Args:
        scores: shape [seeds, tasks].
        seed: seed of the draws.
    """
    seeds, tasks = scores.shape
    drawn = np.random.default_rng(seed).integers(seeds, size=(_DRAWS, seeds, tasks))
    means = _middle_half_means(scores[drawn, np.arange(tasks)].reshape(_DRAWS, -1))
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(low), float(high))


def _middle_half_means(runs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row without its lowest and highest ⌊n/4⌋ values."""
    cut = int(0.25 * runs.shape[1])
    found: NDArray[np.float64] = np.sort(runs, axis=1)[:, cut : runs.shape[1] - cut].mean(1)
    return found


def profile(scores: NDArray[np.float64], above: Sequence[float]) -> tuple[float, ...]:
    """Return the share of runs that score above each value, with equal task weights (Agarwal et al. 2021, section 4.2).

    Args:
        scores: shape [seeds, tasks].
        above: the values.
    """
    return tuple(float((scores > value).mean()) for value in above)


def expected_best(scores: Sequence[float], count: int) -> float:
    """Return the expected maximum of `count` scores drawn uniformly, with replacement, from the observed ones.

    E[max of k] = Σᵢ v₍ᵢ₎·((i/n)ᵏ − ((i−1)/n)ᵏ) over the sorted scores v₍₁₎ ≤ … ≤ v₍ₙ₎ (Dodge et al. 2019, EMNLP,
    "Show Your Work", section 3). This is exact for the empirical distribution of the observed scores, and biased low
    for the distribution that they were drawn from (Tang et al. 2020, ACL). Tuning trials that were not drawn
    independently, such as those of a grid, are treated as if they had been.

    Args:
        scores: scores of the tuning trials that have one, higher is better, shape [n], n ≥ 1.
        count: number of draws, k ≥ 1.

    Raises:
        ValueError: if there is no score, or `count` is below 1.
    """
    if not len(scores) or count < 1:
        message = "the expected best needs at least one score and one draw"
        raise ValueError(message)
    ordered = np.sort(np.asarray(scores, float))
    below = (np.arange(len(ordered) + 1) / len(ordered)) ** count
    return float(ordered @ np.diff(below))
