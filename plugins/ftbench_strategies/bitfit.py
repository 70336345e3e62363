"""BitFit: the biases and the head train (Ben Zaken et al. 2022, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ftbench import About, NotApplicable, RateRange, Strategy

if TYPE_CHECKING:
    from ftbench import Bench, Learner, ModelCard


Which = Literal["all", "query", "key", "value", "attention_output", "ffn_in", "ffn_out"]


@dataclass
class BitFit(Strategy):
    """Train every bias and the head."""

    about: ClassVar[About] = About(
        paper="Ben Zaken et al. 2022, arXiv:2106.10199",
        equation="h = W₀x + b; only b trains",
        when="Small to medium data, where a task may keep a tenth of a percent of the model.",
        limits="A network without biases has little to train; on large data it stays behind full fine-tuning.",
    )

    lr_ratio: ClassVar[float] = 10.0
    lr_range: ClassVar[RateRange | None] = RateRange(0.1, 10.0, "Ben Zaken et al. 2022: 1e-4 to 1e-3")
    starts_within: ClassVar[float | None] = 0.0

    which: tuple[Which, ...] = ("all",)
    """Whose biases train: `all`, or those of some projections, as the reference implementation's `--bias-terms`."""

    freeze_feature_encoder: bool = True
    """Leave out the biases of a convolutional front end, which full fine-tuning freezes too."""

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without biases, or without the projections asked for."""
        if not card.biases:
            message = f"{card.architecture} has no biases"
            raise NotApplicable(message)
        missing = [role for role in self.which if role != "all" and role not in card.roles]
        if missing:
            message = f"{card.architecture} has no {', no '.join(missing)} modules with a bias"
            raise NotApplicable(message)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze all that is not a bias."""
        learner.freeze_backbone()
        front = {
            id(p)
            for module in learner.modules("feature_encoder")
            for p in module.parameters()
            if self.freeze_feature_encoder
        }
        projections = [module for role in self.which for module in learner.modules(role)]
        # Where layers of peft stand around a projection, its bias is within.
        wanted = {id(getattr(module, "base_layer", module).bias) for module in projections}
        for name, parameter in learner.model.named_parameters():
            is_bias = name.endswith("bias") and id(parameter) not in front
            if is_bias and ("all" in self.which or id(parameter) in wanted):
                parameter.requires_grad = True
