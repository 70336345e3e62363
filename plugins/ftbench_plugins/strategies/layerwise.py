"""Layer-wise learning-rate decay, lower for lower layers (Howard and Ruder 2018, section 3.2; Clark et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Gt, Le
from ftbench import About, RateRange, Strategy, Tunable

from .full import WHOLE

if TYPE_CHECKING:
    from ftbench import Bench, Learner


@dataclass
class Layerwise(Strategy):
    """Train everything; each block's rate is `decay` times that of the block above it."""

    about: ClassVar[About] = About(
        paper="Howard and Ruder 2018, arXiv:1801.06146; Clark et al. 2020, arXiv:2003.10555",
        equation="η_l = η·decay^(L − l)",
        when="When full fine-tuning is possible and the task is close to the pretraining.",
        limits="Saves neither memory nor time over full fine-tuning.",
        family="all weights",
    )

    lr_range: ClassVar[RateRange | None] = WHOLE
    starts_within: ClassVar[float | None] = 0.0
    moves_statistics: ClassVar[bool] = True

    decay: Annotated[float, Gt(0), Le(1), Tunable((0.65, 0.8, 0.9))] = 0.8
    """Rate of a block over that of the block above; ELECTRA uses 0.8 for base and 0.9 for large models."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Unfreeze everything, like full fine-tuning."""
        from .full import train_everything

        train_everything(learner, freeze_feature_encoder=True)

    def param_groups(self, learner: Learner) -> list[dict[str, Any]]:
        """Scale the rate by depth; the head learns at the full rate."""
        from .modules.depth import scaled_groups

        depth = len(learner.blocks()) + 1
        return scaled_groups(learner, [self.decay ** (depth - place) for place in range(depth)] + [1.0])
