"""Order trainable parameters by their depth in the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftbench import Learner
    from torch.nn import Parameter


def by_depth(learner: Learner) -> list[list[Parameter]]:
    """Group the trainable parameters outside the head, bottom first: those before the blocks, then each block.

    What runs between two blocks belongs to the block of its own stage: a layer that ends a stage to the stage's last
    block, one that begins a stage to its first. What runs after all blocks (a pooler, a norm) belongs to the last.
    """
    blocks = _block_names(learner)
    head = {id(parameter) for parameter in learner.head_parameters()}
    groups: list[list[Parameter]] = [[] for _ in range(len(blocks) + 1)]
    for name, parameter in learner.trainable():
        if id(parameter) not in head:
            groups[_depth(learner, name, blocks)].append(parameter)
    return groups


def _block_names(learner: Learner) -> list[str]:
    return [
        f"{stage}.{name}"
        for stage in learner.roles.block_lists
        for name, _ in learner.model.get_submodule(stage).named_children()
    ]


def _depth(learner: Learner, name: str, blocks: list[str]) -> int:
    """Return the depth of a parameter: 0 before all blocks, n for block n, counted from 1."""
    for number, block in enumerate(blocks):
        if name.startswith(f"{block}."):
            return number + 1
    parts = name.split(".")
    # The innermost module that holds the parameter and some blocks.
    for end in range(len(parts) - 1, -1, -1):
        parent = ".".join(parts[:end])
        inside = [number for number, block in enumerate(blocks) if not parent or block.startswith(f"{parent}.")]
        if inside:
            break
    else:
        return 0
    below = [number for number in inside if _runs_before(learner, blocks[number], name, end)]
    if below:
        return below[-1] + 1
    return inside[0] + 1 if inside[0] else 0


def _runs_before(learner: Learner, block: str, name: str, level: int) -> bool:
    """Return whether a block runs before the module of a parameter, both inside the same module at `level` of names."""
    if any(name.startswith(f"{module}.") for module in learner.roles.first):
        return False
    if any(name.startswith(f"{module}.") for module in learner.roles.last):
        return True
    parts = name.split(".")
    order = [child for child, _ in learner.model.get_submodule(".".join(parts[:level])).named_children()]
    # A parameter of the module itself, such as a mask's embedding, belongs to its input.
    return parts[level] in order and order.index(block.split(".")[level]) < order.index(parts[level])


def scaled_groups(learner: Learner, scales: list[float]) -> list[dict[str, object]]:
    """Build optimizer groups bottom first, the head last, each with its `lr_scale`; vectors have no weight decay.

    Args:
        learner: the model being trained.
        scales: one per depth, bottom first, and one for the head; shape [blocks + 2].
    """
    found: list[dict[str, object]] = []
    for parameters, scale in zip([*by_depth(learner), learner.head_parameters()], scales, strict=True):
        for decayed in (True, False):
            chosen = [p for p in parameters if (p.ndim > 1) == decayed and p.requires_grad]
            if chosen:
                group: dict[str, object] = {"params": chosen, "lr_scale": scale}
                found.append(group if decayed else {**group, "weight_decay": 0.0})
    return found
