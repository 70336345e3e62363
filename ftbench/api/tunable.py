"""What of a strategy is worth tuning, as it says itself: a range of its learning rate, and values of its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RateRange:
    """Where the best learning rate plausibly lies, in multiples of the rate that is published for the strategy on a backbone."""

    low: float
    """The least multiple, 1 at most."""
    high: float
    """The largest, 1 at least."""
    source: str
    """Who searched there, or found the best there."""


DECADE = RateRange(0.1, 10.0, "none is published: a decade each way")
"""What is searched where a strategy says nothing."""


@dataclass(frozen=True)
class Tunable:
    """Marks an option that is worth tuning: `rank: Annotated[int, Ge(1), Tunable((4, 8, 16))] = 8`."""

    values: tuple[Any, ...]
    """What is tried."""
