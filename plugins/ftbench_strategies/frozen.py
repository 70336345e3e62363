"""Transfer: the backbone is a fixed feature extractor, the head trains (and, if asked, the last blocks)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge
from ftbench import NotApplicable, Strategy

if TYPE_CHECKING:
    from ftbench import Bench, Learner


@dataclass
class Frozen(Strategy):
    """Train the head; parameters and buffers of the backbone stay bit-identical, in evaluation mode."""

    lr_ratio: ClassVar[float] = 20.0
    starts_within: ClassVar[float | None] = 0.0

    last_k: Annotated[int, Ge(0)] = 0
    """How many of the topmost blocks train too."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze the backbone but its last blocks.

        Raises:
            NotApplicable: the backbone has fewer blocks than `last_k`.
        """
        blocks = learner.blocks()
        if self.last_k > len(blocks):
            message = f"last_k is {self.last_k}, and the backbone has {len(blocks)} blocks"
            raise NotApplicable(message)
        learner.freeze_backbone()
        opened = blocks[len(blocks) - self.last_k :]
        for block in opened:
            block.requires_grad_(requires_grad=True)
        inside = {id(module) for block in [*opened, *learner.head] for module in block.modules()}
        parents = {id(module) for module in learner.model.modules() if any(id(child) in inside for child in module.modules())}
        learner.keep_still(*(m for m in learner.model.modules() if id(m) not in inside | parents))
