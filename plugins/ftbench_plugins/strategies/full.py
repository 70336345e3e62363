"""Full fine-tuning: train every parameter (Devlin et al. 2019, section 3; Baevski et al. 2020, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ftbench import About, RateRange, Strategy

if TYPE_CHECKING:
    from ftbench import Bench, Learner


WHOLE = RateRange(0.1, 10.0, "Devlin et al. 2019: 2e-5 to 5e-5; Baevski et al. 2020: 3e-5 to 1e-4")
"""Search range of strategies that train the whole backbone."""


@dataclass
class Full(Strategy):
    """Train every parameter."""

    about: ClassVar[About] = About(
        paper="Devlin et al. 2019, arXiv:1810.04805; Baevski et al. 2020, arXiv:2006.11477",
        equation="min_θ E[ℓ(f_θ(x), y)] over all θ",
        when="Enough data and memory, one model per task. The reference for every other strategy.",
        limits="Needs gradients and optimizer state for every parameter. Forgets most. Stores a whole model per task.",
        family="all weights",
    )

    lr_range: ClassVar[RateRange | None] = WHOLE
    starts_within: ClassVar[float | None] = 0.0
    moves_statistics: ClassVar[bool] = True

    freeze_feature_encoder: bool = True
    """Whether to keep the pretrained convolutional front end of wav2vec-like backbones fixed, like wav2vec 2.0."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Unfreeze everything except a pretrained convolutional front end."""
        train_everything(learner, freeze_feature_encoder=self.freeze_feature_encoder)

    def begins_as(self, bench: Bench) -> Strategy:
        """Return itself: the first of several tasks is trained the same way whatever follows."""
        return self


def train_everything(learner: Learner, *, freeze_feature_encoder: bool) -> None:
    """Unfreeze every parameter, optionally except the convolutional front end of a pretrained speech model.

    Positions that the architecture computes, like Whisper's sinusoids, stay frozen.
    """
    learner.model.requires_grad_(requires_grad=True)
    for module in learner.modules("fixed"):
        module.requires_grad_(requires_grad=False)
    learner.train_head()
    if freeze_feature_encoder and learner.card.pretrained:
        learner.freeze_feature_encoder()
