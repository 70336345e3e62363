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
    drawn = resampled(np.concatenate([quality, price], axis=1), draws, np.random.default_rng(seed))
    x, y = drawn[:, :points], drawn[:, points:]
    chances = np.empty(points)
    for place in range(points):
        a, b = x[:, [place]], y[:, [place]]
        beaten = (x >= a) & (y >= b) & ((x > a) | (y > b))
        chances[place] = 1 - beaten.any(1).mean()
    return chances
