"""Norm tuning: train the layer norms and the head (Zhao et al. 2024, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ftbench import About, Strategy

if TYPE_CHECKING:
    from ftbench import Bench, Learner


@dataclass
class LayerNorm(Strategy):
    """Train the weights and biases of every normalisation, and the head; running statistics stay fixed."""

    about: ClassVar[About] = About(
        paper="Zhao et al. 2024, arXiv:2312.11420",
        equation="γ ⊙ norm(h) + β; only γ and β train",
        when="Like BitFit; cheapest if adapting the norms is enough.",
        limits="The least expressive of the sparse methods.",
        family="biases & norms",
    )

    lr_ratio: ClassVar[float] = 10.0
    starts_within: ClassVar[float | None] = 0.0

    freeze_feature_encoder: bool = True
    """Whether to exclude the norms of a convolutional front end, which full fine-tuning freezes too."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze everything except the normalisations."""
        from .modules.norms import normalisations

        learner.freeze_backbone()
        for module in normalisations(learner, front=not self.freeze_feature_encoder):
            module.requires_grad_(requires_grad=True)
