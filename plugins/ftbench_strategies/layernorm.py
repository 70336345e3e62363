"""Norm tuning: the layer norms and the head train (Zhao et al. 2024, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ftbench import Strategy

if TYPE_CHECKING:
    from ftbench import Bench, Learner


@dataclass
class LayerNorm(Strategy):
    """Train the weights and biases of every normalisation, and the head; running statistics stay."""

    lr_ratio: ClassVar[float] = 10.0
    starts_within: ClassVar[float | None] = 0.0

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze all but the normalisations, those of a frozen convolutional front end left out."""
        from .modules.norms import normalisations

        learner.freeze_backbone()
        for module in normalisations(learner):
            module.requires_grad_(requires_grad=True)
