"""Make a network shallower by removing residual blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from ftbench import Learner


def keep_every(learner: Learner, every: int) -> None:
    """Keep blocks 0, k, 2k … of each list of blocks (Sanh et al. 2019 take every second layer of the teacher)."""
    _keep(learner, lambda number: number % every == 0)


def keep_first(learner: Learner, count: int) -> None:
    """Keep the lowest `count` blocks of each list."""
    _keep(learner, lambda number: number < count)


def _keep(learner: Learner, wanted: Callable[[int], bool]) -> None:
    """Keep the blocks with wanted numbers, and update the roles."""
    moved: dict[str, str] = {}
    gone: set[str] = set()
    for name in learner.roles.block_lists:
        blocks: Any = learner.model.get_submodule(name)
        kept = [number for number in range(len(blocks)) if wanted(number)]
        moved |= {f"{name}.{old}": f"{name}.{new}" for new, old in enumerate(kept)}
        gone |= {f"{name}.{number}" for number in range(len(blocks)) if number not in kept}
        chosen = [blocks[number] for number in kept]
        parent, _, leaf = name.rpartition(".")
        shorter = type(blocks)(*chosen) if isinstance(blocks, nn.Sequential) else nn.ModuleList(chosen)
        setattr(learner.model.get_submodule(parent), leaf, shorter)
    members = {
        role: tuple(new for old in names if (new := _renamed(old, moved, gone)))
        for role, names in learner.roles.members.items()
    }
    learner.roles = replace(learner.roles, members=members)
    _describe(learner, wanted)


def _describe(learner: Learner, wanted: Callable[[int], bool]) -> None:
    """Write the new number of blocks of each list to the model's configuration."""
    config: Any = learner.model.config
    counts = [len(list(learner.model.get_submodule(name).children())) for name in learner.roles.block_lists]
    if len(counts) == 1 and getattr(config, "layer_types", None):
        config.layer_types = [kind for number, kind in enumerate(config.layer_types) if wanted(number)]
    if hasattr(config, "depths"):
        config.depths = counts
    else:
        own = ("num_hidden_layers", "encoder_layers", "num_layers")
        for names, count in zip((own, ("decoder_layers", "num_decoder_layers")), counts, strict=False):
            for name in names:
                if hasattr(config, name):
                    setattr(config, name, count)


def _renamed(name: str, moved: dict[str, str], gone: set[str]) -> str:
    """Return a module's name after its block has moved; empty if the block is gone."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        block = ".".join(parts[:end])
        if block in gone:
            return ""
        if block in moved:
            return ".".join([moved[block], *parts[end:]])
    return name
