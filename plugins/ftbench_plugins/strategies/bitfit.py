"""BitFit: train the biases and the head (Ben Zaken et al. 2022, section 3)."""

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
        when="Small to medium amounts of data, if a task may store 0.1 % of the model.",
        limits="Networks without biases have little to train. Falls short of full fine-tuning on large data.",
        family="biases & norms",
    )

    lr_ratio: ClassVar[float] = 10.0
    lr_range: ClassVar[RateRange | None] = RateRange(0.1, 10.0, "Ben Zaken et al. 2022: 1e-4 to 1e-3")
    starts_within: ClassVar[float | None] = 0.0

    which: tuple[Which, ...] = ("all",)
    """Which biases train: `all`, or those of some projections, like `--bias-terms` of the reference implementation."""

    freeze_feature_encoder: bool = True
    """Whether to exclude the biases of a convolutional front end, which full fine-tuning freezes too."""

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without biases, or without the projections in `which`."""
        if not card.biases:
            message = f"{card.architecture} has no biases"
            raise NotApplicable(message)
        missing = [role for role in self.which if role != "all" and role not in card.roles - card.unbiased]
        if missing:
            message = f"{card.architecture} has no {', no '.join(missing)} modules with a bias"
            raise NotApplicable(message)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze everything except biases.

        Raises:
            NotApplicable: the projections in `which` have none.
        """
        from torch.nn import Parameter

        learner.freeze_backbone()
        front = {
            id(p)
            for module in learner.modules("feature_encoder")
            for p in module.parameters()
            if self.freeze_feature_encoder
        }
        projections = [module for role in self.which for module in learner.modules(role)]
        # If peft layers wrap a projection, its bias is inside them.
        biases = [getattr(getattr(module, "base_layer", module), "bias", None) for module in projections]
        if self.which != ("all",) and not any(isinstance(bias, Parameter) for bias in biases):
            raise NotApplicable(f"{learner.card.architecture} has no bias in {' and '.join(self.which)}")
        wanted = {id(bias) for bias in biases if bias is not None}
        for name, parameter in learner.model.named_parameters():
            is_bias = name.endswith("bias") and id(parameter) not in front
            if is_bias and ("all" in self.which or id(parameter) in wanted):
                parameter.requires_grad = True
