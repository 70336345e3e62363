"""Combine a chart with a title, a sentence, and a table of the numbers it draws."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Figure:
    """One or more drawings over one table of numbers."""

    title: str
    about: str
    """What it shows, in one sentence."""
    drawings: tuple[tuple[str, Markup], ...]
    """Captions and SVG elements; the caption may be empty."""
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The numbers drawn, as formatted text; the first cell of a row is its name."""


def drawing(body: str, width: float, height: float, title: str, kind: str = "chart") -> Markup:
    """Wrap a drawing in an SVG element with an accessible name.

    Args:
        body: SVG elements, escaped.
        width: of the view box.
        height: of the view box.
        title: what it shows; the caption has details.
        kind: its class.
    """
    open_tag = Markup('<svg class="{}" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">').format(
        kind, width, height, title
    )
    return open_tag + Markup(body) + Markup("</svg>")  # noqa: S704 - drawn from numbers and escaped labels


def path(places: Sequence[tuple[float, float]], digits: int = 1) -> str:
    """Return a line as the `d` of an SVG path, with relative coordinates, which are shorter.

    Args:
        places: shape [n, 2], n ≥ 1.
        digits: decimals of y; rounding errors do not add up.
    """
    rounded = [(round(x), round(y, digits)) for x, y in places]
    steps = [f"{x - a:g} {y - b:g}" for (a, b), (x, y) in itertools.pairwise(rounded)]
    return f"M{rounded[0][0]:g} {rounded[0][1]:g}" + (f"l{' '.join(steps)}".replace(" -", "-") if steps else "")


def shortened(text: str, letters: int) -> str:
    """Shorten a name that does not fit; the table has it in full."""
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def spread(values: Sequence[float], places: int) -> list[float]:
    """Spread labels at `values`, in order, until neighbours are at least `places` apart."""
    moved: list[float] = []
    for value in values:
        moved.append(max(value, moved[-1] + places) if moved else value)
    return moved
