"""Knowledge distillation: a smaller student learns from a fine-tuned teacher (Hinton et al. 2015; Sanh et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le
from ftbench import POOLED, About, Backbone, NotApplicable, RateRange, Strategy, Tunable, UserError

from .full import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Bench, Learner, Loader, ModelCard, OutputType
    from torch import Tensor


@dataclass
class Distillation(Strategy):
    """Train a smaller student on the labels and a fine-tuned teacher's softened predictions, averaged over the batch.

    The teacher is fully fine-tuned inside the trial and counts towards its cost: another backbone, or all of the
    student's. If the task augments its examples, the teacher predicts each one as the student sees it (Beyer et al.
    2022, arXiv:2106.05237), in every step; otherwise it predicts every example once.
    """

    answers: ClassVar[frozenset[OutputType]] = frozenset({"class", "labels", "number", "choice", "tags"})
    about: ClassVar[About] = About(
        paper="Hinton et al. 2015, arXiv:1503.02531; Sanh et al. 2019, arXiv:1910.01108",
        equation="α·CE(y, z_s) + (1 − α)·T²·KL(softmax(z_t/T) ‖ softmax(z_s/T)); for a number (z_t − z_s)²",
        when="When the deployed model must be smaller and faster than the one you can train.",
        limits="The teacher's training counts towards its cost. With hidden states, both must read the same tokens.",
        family="other losses",
    )

    lr_range: ClassVar[RateRange | None] = WHOLE
    moves_statistics: ClassVar[bool] = True

    temperature: Annotated[float, Gt(0), Tunable((1.0, 2.0, 4.0))] = 2.0
    """Temperature T that softens both distributions."""
    alpha: Annotated[float, Ge(0), Le(1)] = 0.5
    """Weight of the true labels; the teacher's weight is 1 − alpha."""
    teacher: Backbone | None = None
    """A larger backbone: a name, or a table with `use` and its options; by default the trial's own, with all its
    blocks."""
    student: Annotated[int, Ge(1)] | None = None
    """The student keeps blocks 0, k, 2k … of the trial's backbone; 1 keeps all. Default: 2, or 1 with a `teacher`."""
    hidden: Annotated[float, Ge(0)] = 0.0
    """Weight of 1 − cosine between student's and teacher's hidden states, block by block (Sanh et al., section 3)."""

    _teacher: Learner | None = field(init=False, repr=False, default=None)
    _answers: Any = field(init=False, repr=False, default=None)
    _reader: Loader | None = field(init=False, repr=False, default=None)
    _epoch: int = field(init=False, repr=False, default=0)
    _states: Any = field(init=False, repr=False, default=None)

    def check(self, card: ModelCard) -> None:
        """Refuse a student whose blocks cannot be dropped, and a teacher that is smaller or has another modality."""
        if self._every > 1 and not card.skippable:
            message = f"{card.architecture} has blocks of different widths: none can be left out to make a student"
            raise NotApplicable(message)
        if self.teacher is None:
            return
        teacher = self.teacher.card()
        if teacher.modality != card.modality:
            message = f"the teacher reads {teacher.modality}, {card.architecture} {card.modality}"
            raise NotApplicable(message)
        if self._every == 1 and teacher.parameters and card.parameters and teacher.parameters < card.parameters:
            raise UserError(
                f"teacher: its {teacher.parameters:,} parameters are fewer than the student's {card.parameters:,}"
            )

    @property
    def _every(self) -> int:
        return self.student or (2 if self.teacher is None else 1)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Build the student."""
        from .full import train_everything
        from .modules.blocks import keep_every

        keep_every(learner, self._every)
        train_everything(learner, freeze_feature_encoder=True)

    def fit(self, learner: Learner, bench: Bench) -> None:
        """Fine-tune a teacher for the stage, cache its predictions if possible, then train the student.

        Raises:
            NotApplicable: the teacher is smaller than the student, or their hidden states cannot be compared.
        """
        from .modules.hidden_states import HiddenStates, reads_the_same

        with bench.phase("teacher"):
            self._teacher = None
            if self._answers_once(bench):
                kept = bench.cached(
                    "answers", bench.lesson(bench.strategy("full"), self.teacher), lambda: self._answered(bench)
                )
                self._answers, size = kept["answers"].to(bench.device), int(kept["parameters"])
            else:
                self._answers, self._teacher = None, self._trained_teacher(bench)
                size = _size(self._teacher)
            if size < _size(learner):
                message = f"the teacher's {size:,} parameters are fewer than the student's {_size(learner):,}"
                raise NotApplicable(message)
        self._reader = None
        if self._teacher is not None and not reads_the_same(self._teacher, bench):
            if self.hidden or not bench.augmented or bench.task.answer not in POOLED:
                raise NotApplicable("the teacher must read along, and reads other tokens than the student")
            self._reader = bench.loader(learner=self._teacher)
        if self.hidden:
            assert self._teacher is not None
            self._states = HiddenStates(learner, self._teacher)
        bench.train(learner, self)
        if self.hidden:
            self._states.close()

    def _trained_teacher(self, bench: Bench) -> Learner:
        teacher = bench.teach(bench.strategy("full"), self.teacher)
        teacher.model.requires_grad_(requires_grad=False)
        teacher.eval()
        return teacher

    def _answers_once(self, bench: Bench) -> bool:
        """Return whether one prediction per training example is all the student needs from the teacher."""
        return not (self.alpha == 1 or self.hidden or bench.augmented) and bench.task.answer in (*POOLED, "choice")

    def _answered(self, bench: Bench) -> dict[str, Tensor]:
        """Return the teacher's logits on all training examples, [examples, classes], and its size."""
        import torch

        teacher = self._trained_teacher(bench)
        return {"answers": torch.from_numpy(bench.predict(teacher)), "parameters": torch.tensor(_size(teacher))}

    def resumable(self) -> bool:
        """Return True: the teacher is trained again on resuming, with the same result."""
        return True

    def before_step(self, learner: Learner, step: int) -> None:
        """Store the epoch: a teacher with its own loader must see the examples as augmented in that epoch."""
        if self._reader is not None:
            self._epoch = step // self._reader.per_epoch

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Mix the task's loss with the distance to the teacher."""
        import torch

        from .modules.divergence import distance

        if self.alpha == 1 and not self.hidden:
            return task_loss
        mixed = self.alpha * task_loss
        with torch.no_grad():
            wanted = self._wanted(batch)
        if self.alpha < 1:
            assert learner.task is not None
            apart = distance(learner.task.answer, outputs.logits, wanted, self.temperature, batch["labels"])
            mixed = mixed + (1 - self.alpha) * apart
        if self.hidden:
            mixed = mixed + self.hidden * self._states.distance(batch)
        return mixed

    def _wanted(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the teacher's logits on a batch, cached or computed now, [examples, classes]."""
        if self._answers is not None:
            kept: Tensor = self._answers[batch["rows"]]
            return kept
        if self._reader is not None:
            batch, *_ = self._reader.batch(batch["rows"].cpu().numpy(), self._epoch)
        assert self._teacher is not None
        logits: Tensor = self._teacher.forward(batch).logits
        return logits


def _size(learner: Learner) -> int:
    return sum(parameter.numel() for parameter in learner.backbone_parameters())
