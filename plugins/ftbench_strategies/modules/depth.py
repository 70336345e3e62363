"""Order trainable parameters by their depth in the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftbench import Learner
    from torch.nn import Parameter


def by_depth(learner: Learner) -> list[list[Parameter]]:
    """Group the trainable parameters outside the head, bottom first: those before the blocks, then each block.

    Parameters above the last block (a pooler, a final norm) belong to its group.
    """
    blocks = learner.blocks()
    depth = {id(parameter): number + 1 for number, block in enumerate(blocks) for parameter in block.parameters()}
    head = {id(parameter) for parameter in learner.head_parameters()}
    groups: list[list[Parameter]] = [[] for _ in range(len(blocks) + 1)]
    reached = 0
    for _, parameter in learner.trainable():
        if id(parameter) in head:
            continue
        place = depth.get(id(parameter), reached if reached == len(blocks) else 0)
        reached = max(reached, place)
        groups[place].append(parameter)
    return groups


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
