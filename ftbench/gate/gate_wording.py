"""What a gate found, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis.wording import point_interval
from ..formatting import quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..stats.estimates import Estimate

Value = float | str | None
"""A figure, a hash, or nothing."""


def sized(gains: Estimate, before: float, after: float, unit: str, *, margin: float, p: float | None) -> str:
    """Write how far a score or a size moved: means, the gain with its 95 % interval, pairs, Holm-corrected p, and the margin."""
    over = f"over {counted(gains.n, 'pair')}"
    level = f", p {p:.2g}" if p is not None else ""
    if unit == "1":
        return (
            f"{quantity(before, '1')} → {quantity(after, '1')}, gain {point_interval(gains)} {over}{level}, margin {100 * margin:g} points"
        )
    change = f" ({percent(after / before - 1)})" if before else ""
    return f"{quantity(before, unit)} → {quantity(after, unit)}{change} {over}{level}, margin {quantity(margin, unit)}"


def moved(before: Value, after: Value, unit: str) -> str:
    """Write the change of an exact figure."""
    numbers = isinstance(before, float) and isinstance(after, float) and before
    change = f" ({percent(after / before - 1)})" if numbers else ""  # type: ignore[operator]  # both are numbers there
    return f"{figure(before, unit)} → {figure(after, unit)}{change}"


def parting(one: Sequence[float], other: Sequence[float]) -> str:
    """Write where two training losses part."""
    for number, (first, second) in enumerate(zip(one, other, strict=False), 1):
        if first != second:
            return f"the training loss parts at point {number} of {len(one)}: {first:g} → {second:g}"
    return f"the training loss has {len(one)} → {len(other)} points"


def figure(value: Value, unit: str) -> str:
    """Write an exact figure whole."""
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else f"{value:,.0f} {unit}".strip()


def percent(share: float) -> str:
    """Write a relative change."""
    return f"{100 * share:+.1f} %"


def flat(text: str) -> str:
    """Put a text on one line, without control characters: a name may hold any, and a log obeys some."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def counted(number: int, what: str) -> str:
    """Write a count with its noun."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def seeds_named(seeds: Sequence[int]) -> str:
    """Write seeds: `seed 3`, `seeds 0, 1, 2`."""
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"
