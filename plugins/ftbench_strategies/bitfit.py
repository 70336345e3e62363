"""BitFit: the biases and the head train (Ben Zaken et al. 2022, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ftbench import Strategy

if TYPE_CHECKING:
    from ftbench import Bench, Learner


@dataclass
class BitFit(Strategy):
    """Train every bias and the head."""

    lr_ratio: ClassVar[float] = 10.0
    starts_within: ClassVar[float | None] = 0.0

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze all that is not a bias; a frozen convolutional front end keeps its biases, as in full fine-tuning."""
        learner.freeze_backbone()
        front = {id(p) for module in learner.modules("feature_encoder") for p in module.parameters()}
        for name, parameter in learner.model.named_parameters():
            if name.endswith("bias") and id(parameter) not in front:
                parameter.requires_grad = True
