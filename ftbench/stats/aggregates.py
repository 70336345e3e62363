"""One figure for many tasks that does not hang on a single run: the interquartile mean, and the profile of all runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .estimates import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


TASKS, SEEDS = 10, 3
"""What is needed of each: fewer runs have no quartiles to speak of."""
_DRAWS = 2000


def interquartile_mean(scores: NDArray[np.float64]) -> float:
    """Give the mean of the middle half of all runs of all tasks (Agarwal et al. 2021, section 4.3).

    Args:
        scores: on one scale, shape [seeds, tasks].
    """
    return float(_middle(np.asarray(scores, float).reshape(1, -1))[0])


def interquartile_interval(scores: NDArray[np.float64], seed: int = 0) -> Interval:
    """Give its 95 % interval by percentile bootstrap, seeds drawn within each task (Agarwal et al. 2021, section 4.1).

    Args:
        scores: shape [seeds, tasks].
        seed: of the draws.
    """
    seeds, tasks = scores.shape
    drawn = np.random.default_rng(seed).integers(seeds, size=(_DRAWS, seeds, tasks))
    means = _middle(scores[drawn, np.arange(tasks)].reshape(_DRAWS, -1))
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(low), float(high))


def _middle(runs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean of each row without its lowest and its highest quarter, as many values as fit into one."""
    cut = int(0.25 * runs.shape[1])
    found: NDArray[np.float64] = np.sort(runs, axis=1)[:, cut : runs.shape[1] - cut].mean(1)
    return found


def profile(scores: NDArray[np.float64], above: Sequence[float]) -> tuple[float, ...]:
    """Give the share of runs with a score above each value, all tasks weighing the same (Agarwal et al. 2021, section 4.2).

    Args:
        scores: shape [seeds, tasks].
        above: the values.
    """
    return tuple(float((scores > value).mean()) for value in above)


def expected_best(scores: Sequence[float], count: int) -> float:
    """Give the expected highest of `count` scores drawn from those that were found, each as likely, with replacement.

    E[max of k] = Σᵢ v₍ᵢ₎·((i/n)ᵏ − ((i−1)/n)ᵏ) over the sorted scores v₍₁₎ ≤ … ≤ v₍ₙ₎ (Dodge et al. 2019, EMNLP, "Show Your Work",
    section 3). It is exact for the found scores as a distribution, and too low for the one they come from (Tang et al. 2020, ACL). Tries
    that were not drawn independently, such as a grid's, are taken as if they had been.

    Args:
        scores: of the tries that have one, higher better, shape [n], n ≥ 1.
        count: k ≥ 1.

    Raises:
        ValueError: there is no score, or nothing is drawn.
    """
    if not len(scores) or count < 1:
        message = "an expected best needs a score and a draw"
        raise ValueError(message)
    ordered = np.sort(np.asarray(scores, float))
    below = (np.arange(len(ordered) + 1) / len(ordered)) ** count
    return float(ordered @ np.diff(below))
