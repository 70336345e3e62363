"""What is worth its price: the Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Tell which points are on the front: none other is at least as good in both and better in one; higher is better."""
    return [
        not any(x >= a and y >= b and (x > a or y > b) for x, y in points)
        for a, b in points
    ]  # fmt: skip
