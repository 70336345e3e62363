"""Make a network shallower by leaving out residual blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from ftbench import Learner


def keep_blocks(learner: Learner, every: int) -> None:
    """Keep blocks 0, k, 2k … of each list of blocks (Sanh et al. 2019 take every second layer of the teacher)."""
    if every == 1:
        return
    lists = learner.roles.block_lists
    for name in lists:
        blocks: Any = learner.model.get_submodule(name)
        parent, _, leaf = name.rpartition(".")
        kept = [block for number, block in enumerate(blocks) if number % every == 0]
        setattr(
            learner.model.get_submodule(parent), leaf, type(blocks)(*kept) if isinstance(blocks, nn.Sequential) else nn.ModuleList(kept)
        )
    config: Any = learner.model.config
    if len(lists) == 1 and hasattr(config, "num_hidden_layers"):
        config.num_hidden_layers = len(learner.blocks())
