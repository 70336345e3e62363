"""Compare the hidden states of student and teacher after their blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ftbench import NotApplicable, Ragged
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Bench, Learner


class HiddenStates:
    """Records the hidden states after each of the student's blocks and after the teacher's corresponding block.

    The last block is compared with the last, the others in even steps. Both must read the same tokens.
    """

    def __init__(self, student: Learner, teacher: Learner) -> None:
        own, wanted = student.blocks(), teacher.blocks()
        matched = [wanted[(place + 1) * len(wanted) // len(own) - 1] for place in range(len(own))]
        self._own: dict[int, Tensor] = {}
        self._wanted: dict[int, Tensor] = {}
        self._handles = [*_listen(own, self._own), *_listen(matched, self._wanted)]

    def distance(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return 1 − cosine of the two states, averaged over blocks and real tokens of the last passes; a scalar.

        Raises:
            NotApplicable: the states have different shapes.
        """
        terms = []
        for place, own in self._own.items():
            wanted = self._wanted[place].detach()
            if own.shape != wanted.shape:
                message = (
                    f"the student's hidden states have shape {list(own.shape[1:])}, "
                    f"the teacher's {list(wanted.shape[1:])}"
                )
                raise NotApplicable(message)
            apart = 1 - cosine_similarity(own.float(), wanted.float(), dim=-1 if own.ndim == 3 else 1)
            mask = batch.get("attention_mask")
            real = mask.to(apart.dtype) if mask is not None and mask.shape == apart.shape else torch.ones_like(apart)
            terms.append((apart * real).sum() / real.sum())
        self._own.clear()
        self._wanted.clear()
        return torch.stack(terms).mean()

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()


def _listen(blocks: Sequence[nn.Module], heard: dict[int, Tensor]) -> list[Any]:
    """Record the output of each block under its index."""

    def noting(place: int) -> Any:
        def note(module: nn.Module, arguments: Any, output: Any) -> None:
            del module, arguments
            heard[place] = output[0] if isinstance(output, tuple) else output

        return note

    return [block.register_forward_hook(noting(place)) for place, block in enumerate(blocks)]


def reads_the_same(teacher: Learner, bench: Bench) -> bool:
    """Return whether a second learner encodes the training examples like the trial's backbone."""
    one, other = bench.encoded(), bench.encoded(learner=teacher)
    if one is other:
        return True
    if set(one.columns) != set(other.columns):
        return False
    for name, column in one.columns.items():
        second = other.columns[name]
        if isinstance(column, Ragged) != isinstance(second, Ragged):
            return False
        if isinstance(column, Ragged) and isinstance(second, Ragged):
            if not (np.array_equal(column.values, second.values) and np.array_equal(column.offsets, second.offsets)):
                return False
        elif not np.array_equal(column, second):  # type: ignore[arg-type]  # neither is ragged here
            return False
    return True
