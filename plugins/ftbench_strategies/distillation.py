"""Knowledge distillation: a smaller student learns from a fine-tuned teacher (Hinton et al. 2015; Sanh et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le
from ftbench import Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Bench, Learner
    from torch import Tensor


@dataclass
class Distillation(Strategy):
    """α·CE(y, z_s) + (1 − α)·T²·KL(softmax(z_t/T) ‖ softmax(z_s/T)), the divergence a mean over the batch.

    The teacher is the whole backbone, fully fine-tuned inside the trial and charged to it; the student keeps every
    `keep_every`-th block of the pretrained backbone.
    """

    moves_statistics: ClassVar[bool] = True

    temperature: Annotated[float, Gt(0)] = 2.0
    """T: how soft the two distributions are made."""
    alpha: Annotated[float, Ge(0), Le(1)] = 0.5
    """Weight of the true labels; the teacher's has 1 − alpha."""
    keep_every: Annotated[int, Ge(1)] = 2
    """The student keeps blocks 0, k, 2k …; 1 keeps all."""

    _teacher: Learner = field(init=False, repr=False)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Make the student."""
        from .full import train_everything
        from .modules.blocks import keep_blocks

        keep_blocks(learner, self.keep_every)
        train_everything(learner, freeze_feature_encoder=True)

    def fit(self, learner: Learner, bench: Bench) -> None:
        """Fine-tune a teacher for the stage at hand, then the student."""
        with bench.phase("teacher"):
            self._teacher = bench.load()
            full = bench.strategy("full")
            full.prepare(self._teacher, bench)
            bench.train(self._teacher, full)
            self._teacher.model.requires_grad_(requires_grad=False)
            self._teacher.eval()
        bench.train(learner, self)

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Mix the task's loss with the distance to the teacher."""
        import torch

        from .modules.divergence import soft_divergence

        if self.alpha == 1:
            return task_loss
        with torch.no_grad():
            wanted = self._teacher.forward(batch).logits
        return self.alpha * task_loss + (1 - self.alpha) * soft_divergence(outputs.logits, wanted, self.temperature)
