"""Linear probing, then full fine-tuning (Kumar et al. 2022, section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt
from ftbench import About, RateRange, Strategy

from .full import WHOLE

if TYPE_CHECKING:
    from ftbench import Bench, Learner


@dataclass
class LinearProbeThenFull(Strategy):
    """Train only the head for a share of the steps, at a probe's rate; then everything, at the fine-tuning rate."""

    about: ClassVar[About] = About(
        paper="Kumar et al. 2022, arXiv:2202.10054",
        equation="g alone, then (φ, g) starting from that g",
        when="When deployment data differ from the training data: a fitted head distorts the features less.",
        limits="Needs the memory of full fine-tuning in its second phase.",
        family="all weights",
    )

    lr_range: ClassVar[RateRange | None] = WHOLE
    starts_within: ClassVar[float | None] = 0.0
    moves_statistics: ClassVar[bool] = True

    probe_share: Annotated[float, Gt(0), Lt(1)] = 0.5
    """Share of the steps in which only the head trains."""
    probe_rate: Annotated[float, Ge(1)] = 20.0
    """Learning rate of the probe over that of fine-tuning."""

    _switch: int = field(init=False, repr=False, default=0)
    _head_groups: list[dict[str, Any]] = field(init=False, repr=False, default_factory=list)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Mark everything as trainable."""
        from .full import train_everything

        train_everything(learner, freeze_feature_encoder=True)
        self._switch = round(bench.loader().steps * self.probe_share)

    def param_groups(self, learner: Learner) -> list[dict[str, Any]]:
        """Assign the head to its own groups, whose rate falls when the backbone is unfrozen."""
        from .full import train_everything
        from .modules.depth import scaled_groups

        # The previous stage may have ended with a part still frozen.
        train_everything(learner, freeze_feature_encoder=True)
        groups = scaled_groups(learner, [1.0] * (len(learner.blocks()) + 1) + [self.probe_rate])
        self._head_groups = [group for group in groups if group["lr_scale"] == self.probe_rate]
        return groups

    def resumable(self) -> bool:
        """Return True: what is frozen depends only on the step."""
        return True

    def before_step(self, learner: Learner, step: int) -> None:
        """Freeze the backbone at the first step, and unfreeze it at the switch."""
        from .full import train_everything

        if step == 0:
            for parameter in learner.backbone_parameters():
                parameter.requires_grad = False
        if step == self._switch:
            train_everything(learner, freeze_feature_encoder=True)
            for group in self._head_groups:
                group["lr_scale"] = 1.0
