"""LoRA: low-rank updates beside frozen matrices (Hu et al. 2022, section 4.1), through peft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Lt
from ftbench import NotApplicable, Strategy

if TYPE_CHECKING:
    from ftbench import Bench, Card, Learner

Role = Literal["query", "key", "value", "attention_output", "ffn_in", "ffn_out", "conv"]


@dataclass
class LoRA(Strategy):
    """h = W₀x + (α/r)·B·A·x; A and B train, W₀ does not; merged into W₀ at the end."""

    lr_ratio: ClassVar[float] = 10.0
    starts_within: ClassVar[float | None] = 0.0

    rank: Annotated[int, Ge(1)] = 8
    """Rank r of the update."""
    alpha: Annotated[float, Gt(0)] = 16.0
    """The update is scaled by alpha / rank."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Dropout on the update's input."""
    targets: tuple[Role, ...] = ("query", "value")
    """Roles of the matrices that are adapted; a backbone without attention adapts its convolutions."""

    def check(self, card: Card) -> None:
        """Refuse a backbone with none of the matrices asked for."""
        if not self._roles(card):
            message = f"{card.architecture} has no {', '.join(self.targets)} and no convolutions to adapt"
            raise NotApplicable(message)

    def _roles(self, card: Card) -> list[str]:
        found: list[str] = [role for role in self.targets if role in card.roles]
        return found or [role for role in ("conv",) if role in card.roles]

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Put the updates beside the matrices; they begin at zero."""
        from peft import LoraConfig, inject_adapter_in_model

        names = dict.fromkeys(name for role in self._roles(learner.card) for name in learner.names(role))
        transposed = {type(learner.model.get_submodule(name)).__name__ == "Conv1D" for name in names} == {True}
        config = LoraConfig(
            r=self.rank, lora_alpha=self.alpha, lora_dropout=self.dropout, target_modules=list(names),
            fan_in_fan_out=transposed,
        )  # fmt: skip
        learner.freeze_backbone()
        inject_adapter_in_model(config, learner.model)
        learner.train_head()

    def finish(self, learner: Learner) -> None:
        """Merge every update into its matrix."""
        from peft.tuners.lora import LoraLayer

        for name, module in list(learner.model.named_modules()):
            if isinstance(module, LoraLayer):
                module.merge()
                parent, _, leaf = name.rpartition(".")
                setattr(learner.model.get_submodule(parent), leaf, module.get_base_layer())
