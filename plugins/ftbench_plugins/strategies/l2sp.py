"""L2-SP: weight decay towards the pretrained weights instead of zero (Li et al. 2018, equation 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge
from ftbench import About, RateRange, Strategy, Tunable

from .full import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Bench, Learner
    from torch import Tensor

    from .modules.fisher import Anchored


@dataclass
class L2SP(Strategy):
    """Train everything, with weight decay towards the pretrained weights w⁰ instead of zero."""

    about: ClassVar[About] = About(
        paper="Li et al. 2018, arXiv:1802.01483",
        equation="ℓ + (α/2)·‖w − w⁰‖² + (β/2)·‖head‖²",
        when="Little data and a task close to the pretraining.",
        limits="Needs memory for a second copy of the weights.",
        family="all weights",
    )

    lr_range: ClassVar[RateRange | None] = WHOLE
    starts_within: ClassVar[float | None] = 0.0
    moves_statistics: ClassVar[bool] = True

    alpha: Annotated[float, Ge(0), Tunable((0.001, 0.01, 0.1, 1.0))] = 0.1
    """Strength of the pull of the backbone towards its pretrained weights; the paper searches 0.001 to 1."""
    beta: Annotated[float, Ge(0)] = 0.01
    """Strength of the pull of the head towards zero."""

    _anchors: dict[str, Anchored] = field(init=False, repr=False, default_factory=dict)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Unfreeze everything, and store the backbone's initial weights."""
        import torch

        from .full import train_everything
        from .modules.fisher import Anchored

        train_everything(learner, freeze_feature_encoder=True)
        head = {id(parameter) for parameter in learner.head_parameters()}
        one = torch.ones((), device=bench.device)
        self._anchors = {
            name: Anchored(one, parameter.detach().clone(), None)
            for name, parameter in learner.trainable()
            if id(parameter) not in head
        }

    def param_groups(self, learner: Learner) -> list[dict[str, Any]]:
        """Return the usual groups without weight decay: the penalty replaces it."""
        return [{**group, "weight_decay": 0.0} for group in super().param_groups(learner)]

    def resumable(self) -> bool:
        """Return True: it depends only on the initial weights."""
        return True

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Add both penalties."""
        from .modules.fisher import quadratic_penalty

        pull = quadratic_penalty(dict(learner.trainable()), self._anchors)
        head = sum(parameter.square().sum() for parameter in learner.head_parameters())
        return task_loss + self.alpha / 2 * pull + self.beta / 2 * head
