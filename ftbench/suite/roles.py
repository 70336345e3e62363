"""What a trial is for, what a try of a tuning must reach, and how tuned values are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Role = Literal["final", "try", "default"]
"""A `try` is scored on the validation split alone; what is `final`, and its like with untuned values, `default`, on the test split."""


@dataclass(frozen=True)
class Bars:
    """What a try of tuning must reach while it trains; it is stopped where it does not."""

    metric: str
    """A score of the validation split; empty for the task's primary one."""
    at: tuple[tuple[int, float], ...]
    """Number of a validation, from 1, and the score it must reach there."""
    lower: bool = False
    """Whether a lower score is better."""


def valued(values: Mapping[str, Any]) -> str:
    """Write tuned values: `lr 0.001, rank 8`."""
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items())
