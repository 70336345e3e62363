"""One colour and one marker per strategy, the same in every chart; told apart without colour too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Okabe and Ito's colours, the yellow darkened and the black left out, so that they hold on white and on dark.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7a5ccc", "#8c564b", "#6b7280", "#e15759")
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "plus", "down", "bar")


@dataclass(frozen=True)
class Look:
    """How a strategy is drawn."""

    colour: str
    marker: str


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """Give each label its look; beyond eighty, looks repeat."""
    return {label: Look(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]) for number, label in enumerate(labels)}


def marker(look: Look, x: float, y: float, size: float = 5.0) -> str:
    """Draw a marker as an SVG element at (x, y)."""
    paint = f'fill="{look.colour}" stroke="{look.colour}" stroke-width="1.5"'
    s = size
    if look.marker == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{s:.1f}" {paint}/>'
    shapes = {
        "square": f"M{x - s:.1f} {y - s:.1f}h{2 * s:.1f}v{2 * s:.1f}h{-2 * s:.1f}z",
        "triangle": f"M{x:.1f} {y - s:.1f}l{s:.1f} {2 * s:.1f}h{-2 * s:.1f}z",
        "down": f"M{x:.1f} {y + s:.1f}l{s:.1f} {-2 * s:.1f}h{-2 * s:.1f}z",
        "diamond": f"M{x:.1f} {y - s:.1f}l{s:.1f} {s:.1f}l{-s:.1f} {s:.1f}l{-s:.1f} {-s:.1f}z",
        "bar": f"M{x - s:.1f} {y - s / 3:.1f}h{2 * s:.1f}v{2 * s / 3:.1f}h{-2 * s:.1f}z",
        "cross": f"M{x - s:.1f} {y - s:.1f}l{2 * s:.1f} {2 * s:.1f}m0 {-2 * s:.1f}l{-2 * s:.1f} {2 * s:.1f}",
        "plus": f"M{x - s:.1f} {y:.1f}h{2 * s:.1f}M{x:.1f} {y - s:.1f}v{2 * s:.1f}",
    }
    if look.marker in ("cross", "plus"):
        paint = f'fill="none" stroke="{look.colour}" stroke-width="2.5"'
    return f'<path d="{shapes[look.marker]}" {paint}/>'
