"""Assign each strategy a colour and a marker, the same in every chart; distinguishable without colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Okabe and Ito's colours without yellow and black, each shifted to a contrast of 3 : 1 with the page, light and dark.
LIGHT = ("#0072b2", "#d55e00", "#00805c", "#b8578f", "#8a6a00", "#6a4fc0", "#2484b8", "#5f6877")
DARK = ("#58aef0", "#ff8b4d", "#2fc796", "#e795c4", "#d9b13b", "#ab94f7", "#8fd6fb", "#a9b2c0")
PAPER = ("#ffffff", "#10141a")
"""Backgrounds of the colours."""

MARKERS = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "M-4 -4h8v8h-8z",
    "M0 -5l5 9h-10z",
    "M0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
    "M-4 -4l8 8m0 -8l-8 8",
    "M-5 0h10M0 -5v10",
    "M0 5l5 -9h-10z",
)
"""Paths around the origin; seven of them and eight colours make 56 looks."""


@dataclass(frozen=True)
class Look:
    """How a strategy is drawn."""

    colour: int
    """Index in the palette."""
    marker: int
    """Index in `MARKERS`."""
    dash: int = 0
    """Dash pattern of its lines; 0, solid, for the first eight, whose colours are unique."""

    @property
    def line(self) -> str:
        """The class of its lines."""
        return f"l{self.colour} t{min(self.dash, 3)}" if self.dash else f"l{self.colour}"


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """Return the look of each label; beyond 56 they repeat."""
    return {
        label: Look(number % len(LIGHT), number % len(MARKERS), number // len(LIGHT))
        for number, label in enumerate(labels)
    }


def marker(look: Look, x: float, y: float, *, inherits: bool = False) -> str:
    """Draw a marker as an SVG element at (x, y), about nine units wide; if it `inherits`, its group sets the colour."""
    colour = "" if inherits else f' class="k{look.colour}"'
    return f'<use href="#m{look.marker}" x="{x:.0f}" y="{y:.0f}"{colour}/>'


def definitions() -> str:
    """Return the SVG element that defines the markers for the whole page."""
    shapes = "".join(
        f'<path id="m{number}" d="{path}" stroke-width="{2.4 if "z" not in path else 1.2}"/>'
        for number, path in enumerate(MARKERS)
    )
    stripes = '<path d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5" class="hatch"/>'
    hatch = f'<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">{stripes}</pattern>'
    hidden = 'class="defs" width="0" height="0" aria-hidden="true" focusable="false"'
    return f"<svg {hidden}><defs>{shapes}{hatch}</defs></svg>"


def style() -> str:
    """Return the colours as CSS: fills `k`, lines `l` and areas `a`, on light and on dark."""
    light, dark = (";".join(f"--k{n}:{colour}" for n, colour in enumerate(colours)) for colours in (LIGHT, DARK))
    rules = "".join(
        f".k{n}{{fill:var(--k{n});stroke:var(--k{n})}}.l{n}{{stroke:var(--k{n})}}.a{n}{{fill:var(--k{n})}}"
        for n in range(len(LIGHT))
    )
    screen = f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return f":root{{{light}}}{screen}{rules}\n"
