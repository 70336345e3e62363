"""Elastic weight consolidation: old tasks hold on to the weights they need (Kirkpatrick et al. 2017, equation 3)."""

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
    """Train everything; each weight is held where earlier tasks left it as strongly as they need it, heads left out.

    F is the diagonal of the Fisher information, taken example by example in evaluation mode.
    """

    answers: ClassVar[frozenset[OutputType]] = frozenset({"class", "choice"})
    about: ClassVar[About] = About(
        paper="Kirkpatrick et al. 2017, arXiv:1612.00796; Schwarz et al. 2018, arXiv:1805.06370 (online)",
        equation="L_B + (λ/2)·Σᵢ Fᵢ·(θᵢ − θ*ᵢ)²",
        when="Tasks come one after another and old data may not be kept.",
        limits="It means something in sequences only; a network sure of its answers has little information, and λ must grow with it.",
    )

    lr_range: ClassVar[RateRange | None] = WHOLE
    needs_sequence: ClassVar[bool] = True
    starts_within: ClassVar[float | None] = 0.0
    moves_statistics: ClassVar[bool] = True

    strength: Annotated[float, Ge(0), Tunable((10.0, 1000.0, 100000.0))] = 1000.0
    """λ: how much the earlier tasks weigh."""
    fisher: Literal["exact", "sampled", "empirical"] = "exact"
    """`exact`: the expectation over the model's own answers. `sampled`: at one answer drawn from them for each example.
    `empirical`: at the true label."""
    samples: Annotated[int, Ge(1)] = 64
    """Training examples the information is estimated from, at most."""
    online: bool = True
    """Hold the weights where the last task left them, with the summed information of all tasks (Schwarz et al. 2018,
    section 3.2); otherwise each task holds them where it left them itself, and memory grows with the tasks."""
    decay: Annotated[float, Ge(0), Le(1)] = 1.0
    """γ: how much of the earlier information is kept at each further task of the online form."""

    _fisher: dict[str, Tensor] = field(init=False, repr=False, default_factory=dict)
    _anchors: list[dict[str, Anchored]] = field(init=False, repr=False, default_factory=list)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Let everything train, as full fine-tuning does."""
        from .full import train_everything

        train_everything(learner, freeze_feature_encoder=True)

    def begins_as(self, bench: Bench) -> Strategy:
        """Begin as full fine-tuning: there is nothing to hold on to yet."""
        return bench.strategy("full")

    def end_stage(self, learner: Learner, bench: Bench) -> None:
        """Add the information of the stage just learnt, and anchor the weights as they stand."""
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
        """Hold every weight outside the heads with an information of its own, embeddings whole."""
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
        """Tell that information and anchors are gathered anew from the weights at the end of each stage."""
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
