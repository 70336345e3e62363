"""Pareto fronts of quality and cost, and the probability of being on the front with other seeds."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .ranks import DRAWS, drawn_times, means_of_draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


_FEW = 50
"""Most points that are compared pair by pair instead of sorted."""


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return for each point whether it is on the Pareto front, with higher values better.

    A point is on the front if no other is at least as good in both coordinates and better in one.
    """
    return [not any(x >= a and y >= b and (x > a or y > b) for x, y in points) for a, b in points]


def front_chances(
    quality: NDArray[np.float64], price: NDArray[np.float64], draws: int = DRAWS, seed: int = 0
) -> NDArray[np.float64]:
    """Return the probability of each point to be on the front.

    Bootstrap over seeds; each draw uses the same seeds for all points and both axes.

    Args:
        quality: shape [seeds, points], higher is better.
        price: the other axis, shape [seeds, points], negated if lower is better.
        draws: number of draws.
        seed: seed of the draws.

    Returns:
        Shape [points].
    """
    points = quality.shape[1]
    drawn = means_of_draws(np.concatenate([quality, price], axis=1), _times(len(quality), draws, seed))
    if points <= _FEW:
        return np.array(_undominated(drawn.T[:points].copy(), drawn.T[points:].copy())) / draws
    order = np.argsort(-drawn[:, :points], axis=1)
    x = np.take_along_axis(drawn[:, :points], order, 1).T.copy()
    y = np.take_along_axis(drawn[:, points:], order, 1).T.copy()
    return np.bincount(order.T[_on_front(x, y)], minlength=points) / draws


def _undominated(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[int]:
    """Return for each point the number of draws in which no other dominates it; faster than sorting few points.

    Args:
        x: one axis, shape [points, draws].
        y: the other axis, shape [points, draws].
    """
    return [
        int(np.count_nonzero(~((x >= a) & (y >= b) & ((x > a) | (y > b))).any(0))) for a, b in zip(x, y, strict=True)
    ]


@lru_cache(maxsize=1)
def _times(seeds: int, draws: int, seed: int) -> NDArray[np.float64]:
    """Return the same draws for all costs, made once: see `drawn_times`."""
    return drawn_times(seeds, draws, np.random.default_rng(seed))


def _on_front(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points are on the front of their column, shape [points, columns]; columns are sorted by falling `x`.

    A point is on the front if its `y` is the largest of all points with the same `x`, and larger than that of every
    point with a larger `x`.
    """
    tied = np.zeros(x.shape, bool)
    tied[1:] = x[1:] == x[:-1]
    above, most = np.empty_like(y), np.empty_like(y)
    before = so_far = np.full(x.shape[1], -np.inf)
    for row, among in enumerate(tied):
        before = np.where(among, before, np.maximum(before, so_far))
        so_far = np.where(among, np.maximum(so_far, y[row]), y[row])
        above[row], most[row] = before, so_far
    for row in range(len(tied) - 2, -1, -1):
        most[row] = np.where(tied[row + 1], most[row + 1], most[row])
    found: NDArray[np.bool_] = (y > above) & (y >= most)
    return found
