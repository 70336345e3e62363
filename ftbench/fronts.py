"""What is worth its price: the Pareto front, and who would stand on it with other seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .ranks import DRAWS, resampled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Tell which points are on the front: none other is at least as good in both and better in one; higher is better."""
    return [
        not any(x >= a and y >= b and (x > a or y > b) for x, y in points)
        for a, b in points
    ]  # fmt: skip


def front_chances(quality: NDArray[np.float64], price: NDArray[np.float64], draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """Give the probability of each point to be on the front, by a bootstrap of seeds that are the same for all points and both axes.

    Args:
        quality: shape [seeds, points], higher is better.
        price: the same of the other axis, its sign turned where lower is better.
        draws: how many.
        seed: of the draws.

    Returns:
        Shape [points].
    """
    points = quality.shape[1]
    drawn = resampled(np.concatenate([quality, price], axis=1), draws, np.random.default_rng(seed)).T.copy()
    x, y = drawn[:points], drawn[points:]
    # Whoever is best in both together beats the most: looked at first, most points are settled by one or two others.
    order = np.argsort(-(_standing(quality) + _standing(price)), kind="stable")
    return np.array([_unbeaten(place, x, y, order) for place in range(points)])


def _standing(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give each point's place among the means, the best the highest."""
    found: NDArray[np.int64] = values.mean(0).argsort(kind="stable").argsort(kind="stable")
    return found


def _unbeaten(place: int, x: NDArray[np.float64], y: NDArray[np.float64], order: NDArray[np.int64]) -> float:
    """Give the share of draws, along the last axis, in which no other point beats the one at `place`."""
    a, b = x[place], y[place]
    left = np.arange(a.size)
    for other in order:
        if other != place and left.size:
            c, d = x[other][left], y[other][left]
            beaten = (c >= a) & (d >= b) & ((c > a) | (d > b))
            left, a, b = left[~beaten], a[~beaten], b[~beaten]
    return float(left.size / x.shape[1])
