"""Assign each strategy the colour of its family and a marker of its own, the same in every chart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftbench.reporting import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ftbench import Summary

LIGHT = ("#8136f0", "#07827c", "#c4480a", "#ab1560", "#1a3a9c", "#3b4a0a", "#2b3442")
DARK = ("#c4adff", "#3fd6c3", "#ee8a3c", "#ee5597", "#5a8ff0", "#cfe65a", "#e2e8f0")
"""Colours of the families, with a contrast of 4.5 : 1 to the page, and distinct with colour blindness."""
PAPER = ("#ffffff", "#171d27")
"""Backgrounds of the colours."""

MARKERS = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "M-4 -4h8v8h-8z",
    "M0 -5l5 9h-10z",
    "M0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
    "M0 5l5 -9h-10z",
    "M-4 -4l8 8m0 -8l-8 8",
    "M-5 0h10M0 -5v10",
)
"""Paths around the origin; each member of a family has its own."""


@dataclass(frozen=True)
class Look:
    """How a strategy is drawn."""

    colour: int
    """Index in the palette."""
    marker: int
    """Index in `MARKERS`."""
    dash: int = 0
    """Dash pattern of its lines; 0 is solid."""

    @property
    def line(self) -> str:
        """The class of its lines."""
        return f"l{self.colour} t{min(self.dash, 3)}" if self.dash else f"l{self.colour}"


def looks(labels: Sequence[str], families: Mapping[str, str] | None = None) -> dict[str, Look]:
    """Return the look of each label.

    Args:
        labels: all strategies, in the order of the suite.
        families: label → family; without it, each strategy has its own colour.
    """
    if families is None:
        return {
            label: Look(number % len(LIGHT), number % len(MARKERS), number // len(LIGHT))
            for number, label in enumerate(labels)
        }
    found, members = {}, Counter[int]()
    for label in labels:
        colour = colour_of(families.get(label, FAMILIES[-1]))
        found[label] = Look(colour, members[colour] % len(MARKERS), min(3, members[colour] // len(MARKERS)))
        members[colour] += 1
    return found


def colour_of(family: str) -> int:
    """Return the index of a family's colour; the last two families, whose members have little in common, share one."""
    return min(FAMILIES.index(family), len(LIGHT) - 1) if family in FAMILIES else len(LIGHT) - 1


def families_of(summary: Summary) -> dict[str, str] | None:
    """Return the family of each strategy of a summary by its label; None if no family is known."""
    found: dict[str, str] = {c.label: c.family for t in summary.targets for c in (*t.contenders, *t.references)}
    return found if set(found.values()) - {FAMILIES[-1]} else None


def family_legend(families: Iterable[str]) -> list[tuple[str, int]]:
    """Return the families that occur, in a fixed order, with their colours."""
    there = set(families)
    return [(family, colour_of(family)) for family in FAMILIES if family in there]


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
    """Return the colours as CSS: marks `k`, lines `l`, areas `a` and names `n`, on light and on dark."""
    light, dark = (";".join(f"--k{n}:{colour}" for n, colour in enumerate(colours)) for colours in (LIGHT, DARK))
    rules = "".join(
        f".k{n}{{fill:var(--k{n});stroke:var(--k{n})}}.l{n}{{stroke:var(--k{n})}}.a{n}{{fill:var(--k{n})}}"
        f".n{n}{{color:var(--k{n})}}"
        for n in range(len(LIGHT))
    )
    screen = f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return f":root{{{light}}}{screen}{rules}\n"
