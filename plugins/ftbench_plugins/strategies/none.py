"""The untrained model: pretrained weights with a random head, as the reference row of a leaderboard."""

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
        when="Always: it shows the score of a random head.",
        limits="Learns nothing.",
    )

    lr_range: ClassVar[RateRange | None] = None
    starts_within: ClassVar[float | None] = 0.0

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze everything."""
        learner.model.requires_grad_(requires_grad=False)

    def fit(self, learner: Learner, bench: Bench) -> None:
        """Do nothing."""
