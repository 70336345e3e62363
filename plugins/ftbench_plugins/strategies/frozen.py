"""Feature extraction: a frozen backbone with a trained head (optionally also the last blocks)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge
from ftbench import About, NotApplicable, RateRange, Strategy, UserError

if TYPE_CHECKING:
    from ftbench import Bench, Learner, ModelCard


@dataclass
class Frozen(Strategy):
    """Train the head; the backbone's parameters and buffers stay bit-identical, in evaluation mode."""

    about: ClassVar[About] = About(
        paper="Yosinski et al. 2014, arXiv:1411.1792; Yang et al. 2021, arXiv:2105.01051 (mix of layers)",
        equation="h = g(φ(x)); only g trains (and the last k blocks, or softmax(w) over layers)",
        when="Very little data, many tasks on one backbone, or a first result in seconds.",
        limits="Cannot learn features missing from the pretraining. Chosen or mixed layers need blocks of one shape.",
        family="head only",
    )

    lr_ratio: ClassVar[float] = 20.0
    lr_range: ClassVar[RateRange | None] = RateRange(
        0.1, 10.0, "Yang et al. 2021: the learning rate is all that is searched, over decades"
    )

    last_k: Annotated[int, Ge(0)] = 0
    """Number of topmost blocks to train too."""
    layers: Annotated[int, Ge(1)] | Literal["last", "mix"] = "last"
    """Input of the head: `last`; a block number 1, 2, …, which removes the blocks above; or `mix`, learned layer
    weights."""

    @property
    def starts_within(self) -> float | None:  # type: ignore[override]  # holds only for the last layer
        """The features of the last layer are the backbone's own."""
        return 0.0 if self.layers == "last" else None

    @property
    def features_stay(self) -> bool:  # type: ignore[override]  # depends on the options
        """Nothing below the head trains, unless blocks are unfrozen or layers are mixed."""
        return self.last_k == 0 and self.layers != "mix"

    def check(self, card: ModelCard) -> None:
        """Refuse inner features of a network whose layers differ in shape, and more blocks than there are."""
        if self.layers != "last" and card.class_tokens is None:
            message = f"{card.architecture} has layers of different shapes: its head can read the last only"
            raise NotApplicable(message)
        if card.blocks is None:
            return
        if isinstance(self.layers, int) and self.layers > card.blocks:
            raise UserError(f"layers: {self.layers} is beyond the {card.blocks} blocks of the backbone")
        if self.last_k > card.blocks:
            raise UserError(f"last_k: {self.last_k} is beyond the {card.blocks} blocks of the backbone")

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze the backbone except its last blocks, and connect the head to the chosen layer."""
        from .modules.blocks import keep_first
        from .modules.layer_mix import mix_layers

        if isinstance(self.layers, int):
            keep_first(learner, self.layers)
        learner.freeze_backbone()
        blocks = learner.blocks()
        opened = blocks[len(blocks) - self.last_k :]
        for block in opened:
            block.requires_grad_(requires_grad=True)
        inside = {id(module) for block in [*opened, *learner.head] for module in block.modules()}
        parents = {
            id(module) for module in learner.model.modules() if any(id(child) in inside for child in module.modules())
        }
        learner.keep_still(*(m for m in learner.model.modules() if id(m) not in inside | parents))
        if self.layers == "mix":
            mix_layers(learner, bench.device)
