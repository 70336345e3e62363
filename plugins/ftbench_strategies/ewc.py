"""Elastic weight consolidation: old tasks hold on to the weights they need (Kirkpatrick et al. 2017, equation 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge
from ftbench import Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Bench, Learner
    from torch import Tensor

    from .modules.fisher import Anchored


@dataclass
class EWC(Strategy):
    """L_B + (λ/2)·Σᵢ Fᵢ·(θᵢ − θ*ᵢ)², F the diagonal Fisher information of the earlier tasks, heads left out."""

    needs_sequence: ClassVar[bool] = True
    starts_within: ClassVar[float | None] = 0.0
    moves_statistics: ClassVar[bool] = True

    strength: Annotated[float, Ge(0)] = 1000.0
    """λ: how much the earlier tasks weigh."""
    fisher: Literal["exact", "empirical"] = "exact"
    """`exact`: the expectation over the model's own answers. `empirical`: at the true labels."""
    samples: Annotated[int, Ge(1)] = 64
    """Training examples the information is estimated from, at most."""

    _fisher: dict[str, Tensor] = field(init=False, repr=False, default_factory=dict)
    _anchors: dict[str, Anchored] = field(init=False, repr=False, default_factory=dict)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Let everything train, as full fine-tuning does."""
        from .full import train_everything

        train_everything(learner, freeze_feature_encoder=True)

    def end_stage(self, learner: Learner, bench: Bench) -> None:
        """Add the information of the stage just learnt, and anchor the weights as they stand."""
        from .modules.fisher import anchor, diagonal_fisher

        with bench.phase("fisher"):
            rows = bench.generator("fisher").permutation(len(bench.encoded()))[: self.samples]
            batches = (
                {name: tensor.to(bench.device) for name, tensor in bench.task.collate(bench.encoded(), [int(row)]).items()} for row in rows
            )
            found = diagonal_fisher(learner, batches, exact=self.fisher == "exact")
        for name, information in found.items():
            self._fisher[name] = self._fisher[name] + information if name in self._fisher else information
        parameters = dict(learner.trainable())
        self._anchors = {name: anchor(parameters[name], information) for name, information in self._fisher.items()}

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Add the penalty, from the second stage on."""
        if not self._anchors or self.strength == 0:
            return task_loss
        from .modules.fisher import quadratic_penalty

        return task_loss + self.strength / 2 * quadratic_penalty(dict(learner.trainable()), self._anchors)
