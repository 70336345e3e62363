"""Gradual unfreezing with discriminative rates (ULMFiT; Howard and Ruder 2018, sections 3.2 and 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Gt
from ftbench import About, RateRange, Strategy

from .full import WHOLE

if TYPE_CHECKING:
    from ftbench import Bench, Learner


@dataclass
class Gradual(Strategy):
    """Train the head first; every `epochs_per_group` epochs, the next group from the top is unfrozen."""

    about: ClassVar[About] = About(
        paper="Howard and Ruder 2018, arXiv:1801.06146",
        equation="epoch e trains the head and the top e − 1 groups; η_{l−1} = η_l / 2.6",
        when="Little data, if full fine-tuning forgets or diverges at the start.",
        limits="With fewer epochs than groups, the lowest never train. At the end it saves no optimizer memory.",
        family="all weights",
    )

    lr_range: ClassVar[RateRange | None] = WHOLE
    starts_within: ClassVar[float | None] = 0.0
    moves_statistics: ClassVar[bool] = True

    epochs_per_group: Annotated[int, Ge(1)] = 1
    """Epochs before the next group is unfrozen."""
    decay: Annotated[float, Gt(0)] = 2.6
    """A group's learning rate is that of the group above it, divided by this."""

    _steps_per_group: int = field(init=False, repr=False, default=1)
    _groups: list[list[Any]] = field(init=False, repr=False, default_factory=list)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Mark everything as trainable; freezing is done step by step."""
        from .full import train_everything

        train_everything(learner, freeze_feature_encoder=True)
        self._steps_per_group = bench.loader().per_epoch * self.epochs_per_group

    def param_groups(self, learner: Learner) -> list[dict[str, Any]]:
        """Scale the rate by depth."""
        from .full import train_everything
        from .modules.depth import scaled_groups

        # The previous stage may have ended with a part still frozen.
        train_everything(learner, freeze_feature_encoder=True)
        depth = len(learner.blocks()) + 1
        return scaled_groups(learner, [self.decay ** (place - depth) for place in range(depth)] + [1.0])

    def resumable(self) -> bool:
        """Return True: what is frozen depends only on the step."""
        return True

    def before_step(self, learner: Learner, step: int) -> None:
        """Freeze everything except the head at first, and unfreeze the next group when due.

        The optimizer has every group from the start: it skips parameters whose gradient is None, including weight decay
        and momentum.
        """
        from .modules.depth import by_depth

        if step == 0:
            from .full import train_everything

            train_everything(learner, freeze_feature_encoder=True)
            self._groups = by_depth(learner)
            for group in self._groups:
                for parameter in group:
                    parameter.requires_grad = False
        elif step % self._steps_per_group == 0 and self._groups:
            for parameter in self._groups.pop():
                parameter.requires_grad = True
