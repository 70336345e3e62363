"""The untrained model: pretrained weights under a random head, the row every leaderboard needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ftbench import About, RateRange, Strategy

if TYPE_CHECKING:
    from ftbench import Bench, Learner


@dataclass
class Untrained(Strategy):
    """Train nothing."""

    about: ClassVar[About] = About(
        paper="–",
        equation="nothing is minimised",
        when="Always: it is the row that tells what the head's random guess is worth.",
        limits="It learns nothing.",
    )

    lr_range: ClassVar[RateRange | None] = None
    starts_within: ClassVar[float | None] = 0.0

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze everything."""
        learner.model.requires_grad_(requires_grad=False)

    def fit(self, learner: Learner, bench: Bench) -> None:
        """Do nothing."""
