"""Elastic weight consolidation: protect the weights earlier tasks need (Kirkpatrick et al. 2017, equation 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le
from ftbench import About, RateRange, Strategy, Tunable

from .full import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Bench, Learner, OutputType
    from torch import Tensor

    from .modules.fisher import Anchored


@dataclass
class EWC(Strategy):
    """Train everything; pull each weight outside the heads to its earlier value, as strongly as earlier tasks need it.

    F is the diagonal of the Fisher information, computed example by example in evaluation mode.
    """

    answers: ClassVar[frozenset[OutputType]] = frozenset({"class", "choice"})
    about: ClassVar[About] = About(
        paper="Kirkpatrick et al. 2017, arXiv:1612.00796; Schwarz et al. 2018, arXiv:1805.06370 (online)",
        equation="L_B + (λ/2)·Σᵢ Fᵢ·(θᵢ − θ*ᵢ)²",
        when="Tasks arrive one after another and old data may not be kept.",
        limits=(
            "Only useful in sequences. "
            "A network with confident predictions has little Fisher information and needs a larger λ."
        ),
        family="other losses",
    )

    lr_range: ClassVar[RateRange | None] = WHOLE
    needs_sequence: ClassVar[bool] = True
    starts_within: ClassVar[float | None] = 0.0
    moves_statistics: ClassVar[bool] = True

    strength: Annotated[float, Ge(0), Tunable((10.0, 1000.0, 100000.0))] = 1000.0
    """λ: weight of the earlier tasks."""
    fisher: Literal["exact", "sampled", "empirical"] = "exact"
    """`exact`: the expectation over the model's predictions. `sampled`: one prediction sampled per example.
    `empirical`: the true label."""
    samples: Annotated[int, Ge(1)] = 64
    """Maximum number of training examples for estimating the information."""
    online: bool = True
    """Whether to pull weights to their values after the last task, with the summed information of all tasks (Schwarz et
    al. 2018, section 3.2); otherwise each task has its own anchor, and memory grows with the number of tasks."""
    decay: Annotated[float, Ge(0), Le(1)] = 1.0
    """γ: share of the earlier information kept at each further task in the online form."""

    _fisher: dict[str, Tensor] = field(init=False, repr=False, default_factory=dict)
    _anchors: list[dict[str, Anchored]] = field(init=False, repr=False, default_factory=list)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Unfreeze everything, like full fine-tuning."""
        from .full import train_everything

        train_everything(learner, freeze_feature_encoder=True)

    def begins_as(self, bench: Bench) -> Strategy:
        """Return full fine-tuning: there are no earlier tasks yet."""
        return bench.strategy("full")

    def end_stage(self, learner: Learner, bench: Bench) -> None:
        """Add the information of the finished stage, and anchor the weights at their current values."""
        from .modules.fisher import anchor

        with bench.phase("fisher"):
            key = {"form": self.fisher, "samples": self.samples}
            kept = bench.cached("fisher", key, lambda: self._information(learner, bench), of=learner)
            found = {name: tensor.to(bench.device) for name, tensor in kept.items()}
        if self.online:
            found = {
                name: self.decay * self._fisher[name] + new if name in self._fisher else new
                for name, new in found.items()
            }
            self._fisher, self._anchors = found, []
        parameters = dict(learner.trainable())
        self._anchors.append({name: anchor(parameters[name], information) for name, information in found.items()})

    def _information(self, learner: Learner, bench: Bench) -> dict[str, Tensor]:
        from .modules.fisher import diagonal_fisher

        rows = bench.generator("fisher").permutation(len(bench.encoded()))[: self.samples]
        batches = (
            {name: tensor.to(bench.device) for name, tensor in bench.task.collate(bench.encoded(), [int(row)]).items()}
            for row in rows
        )
        return diagonal_fisher(learner, batches, form=self.fisher, generator=bench.generator("answers"))

    def foresee_end_stage(self, learner: Learner, bench: Bench) -> None:
        """Anchor every weight outside the heads with its own information, embeddings in full."""
        import torch

        from .modules.fisher import Anchored

        if self.online:
            self._anchors = []
        head = {id(parameter) for parameter in learner.head_parameters()}
        self._anchors.append(
            {
                name: Anchored(torch.zeros_like(parameter), parameter.detach().clone(), None)
                for name, parameter in learner.trainable()
                if id(parameter) not in head
            }
        )

    def resumable(self) -> bool:
        """Return True: information and anchors are computed again from the weights at the end of each stage."""
        return True

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Add the penalty, from the second stage on."""
        if not self._anchors or self.strength == 0:
            return task_loss
        from .modules.fisher import quadratic_penalty

        parameters = dict(learner.trainable())
        for anchors in self._anchors:
            task_loss = task_loss + self.strength / 2 * quadratic_penalty(parameters, anchors)
        return task_loss
