"""Trained tokens in a network's sequence: inserted at the first block, or at every block, and removed after the last.

Everything happens at the residual blocks, so that positions, pooling and the length of the output are the backbone's
own in every modality. Only the attention mask grows.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Learner


class Prompts(nn.Module):
    """Trained tokens: one set that passes through all blocks (shallow), or a set for each block (deep).

    Args:
        blocks: the network's residual blocks, bottom first.
        vectors: initial tokens, each [length, width]: one set, or one per block.
        place: number of the network's own tokens before them.
        causal: whether a token attends only to tokens before it.
        dropout: share of the prompts' elements set to zero in training.
    """

    def __init__(
        self, blocks: Sequence[nn.Module], vectors: Sequence[Tensor], *, place: int, causal: bool, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.vectors = nn.ParameterList(nn.Parameter(vector.detach().clone()) for vector in vectors)
        self.dropout = nn.Dropout(dropout)
        self.place, self.causal = place, causal
        self._mask: tuple[Tensor | None, Tensor | None] = (None, None)
        for number, block in enumerate(blocks):
            block.register_forward_pre_hook(_Enter(self, number, _mask_place(block)), with_kwargs=True)
        blocks[-1].register_forward_hook(self._leave)

    @property
    def length(self) -> int:
        """Number of inserted tokens."""
        return len(self.vectors[0])

    def put_in(self, number: int, hidden: Tensor) -> Tensor:
        """Return block `number`'s input with prompts, [batch, length + tokens, width].

        The `hidden` of block 0 has only the network's own tokens.
        """
        if number >= len(self.vectors):
            return hidden
        vectors = self.dropout(self.vectors[number]).to(hidden.dtype).expand(len(hidden), -1, -1)
        rest = self.place if number == 0 else self.place + self.length
        return torch.cat([hidden[:, : self.place], vectors, hidden[:, rest:]], dim=1)

    def widened(self, mask: Tensor | None) -> Tensor | None:
        """Return the attention mask extended by the prompts; a mask is extended once per forward pass."""
        if mask is None:
            return None
        known, wide = self._mask
        if known is not mask:
            wide = widened(mask, self.length, self.place, causal=self.causal)
            self._mask = (mask, wide)
        return wide

    def unturned(self, turning: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return cosine and sine of rotary positions, [batch, tokens, width], without rotation for prompts."""
        cosine, sine = turning
        return tuple(  # type: ignore[return-value]  # always two tensors
            torch.cat(
                [
                    part[:, : self.place],
                    part.new_full((len(part), self.length, part.shape[-1]), still),
                    part[:, self.place :],
                ],
                dim=1,
            )
            for part, still in ((cosine, 1.0), (sine, 0.0))
        )

    def _leave(self, module: nn.Module, arguments: Any, output: Any) -> Any:
        hidden = output[0] if isinstance(output, tuple) else output
        own = torch.cat([hidden[:, : self.place], hidden[:, self.place + self.length :]], dim=1)
        self._mask = (None, None)
        return (own, *output[1:]) if isinstance(output, tuple) else own


class _Enter:
    """A hook before one block."""

    def __init__(self, prompts: Prompts, number: int, mask_place: int) -> None:
        # In a tuple, so that the hook does not register the module as a second owner.
        self.prompts, self.number, self.mask_place = (prompts,), number, mask_place

    def __call__(self, module: nn.Module, arguments: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        prompts = self.prompts[0]
        if "position_embeddings" in options:
            options = {**options, "position_embeddings": prompts.unturned(options["position_embeddings"])}
        given = [prompts.put_in(self.number, arguments[0]), *arguments[1:]]
        if "attention_mask" in options:
            options = {**options, "attention_mask": prompts.widened(options["attention_mask"])}
        elif len(given) > self.mask_place:
            given[self.mask_place] = prompts.widened(given[self.mask_place])
        return tuple(given), options


def _mask_place(block: nn.Module) -> int:
    """Return the position of a block's attention mask among its arguments."""
    return list(inspect.signature(type(block).forward).parameters).index("attention_mask") - 1


def widened(mask: Tensor, length: int, place: int, *, causal: bool) -> Tensor:
    """Extend a mask so that every token sees the prompts, and a prompt sees what a token at its place would see.

    Args:
        mask: [batch, keys], [batch, 1, 1, keys] or [batch, 1, queries, keys]; boolean (true attends), 0 and 1, or added
            to the scores.
        length: number of inserted prompts.
        place: position of the prompts, in tokens.
        causal: whether prompts see only the prompts before them.

    Returns:
        The mask with `length` more keys, and as many more queries if it has a row per query.
    """
    additive = mask.is_floating_point() and mask.ndim == 4
    seen = 0.0 if additive else 1
    hidden = torch.finfo(mask.dtype).min if additive else 0
    columns = mask.new_full((*mask.shape[:-1], length), seen)
    wide = torch.cat([mask[..., :place], columns, mask[..., place:]], dim=-1)
    if mask.ndim < 4 or mask.shape[-2] == 1:
        return wide
    if causal:
        rows = wide.new_full((*wide.shape[:-2], length, wide.shape[-1]), hidden)
        own = torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
        rows[..., place : place + length] = torch.where(own, torch.full((), seen, device=mask.device), hidden).to(
            mask.dtype
        )
    else:
        rows = wide[..., :1, :].expand(*wide.shape[:-2], length, wide.shape[-1])
    return torch.cat([wide[..., :place, :], rows, wide[..., place:, :]], dim=-2)


def add_prompts(learner: Learner, vectors: Sequence[Tensor], *, dropout: float, device: torch.device) -> Prompts:
    """Insert prompts after the class tokens of the learner's network; they become part of it as `ftbench_prompts`."""
    place = learner.card.class_tokens
    assert place is not None
    causal = learner.card.objective == "causal"
    prompts = Prompts(learner.blocks(), vectors, place=place, causal=causal, dropout=dropout).to(device)
    learner.model.add_module("ftbench_prompts", prompts)
    return prompts


def uniform_vectors(learner: Learner, length: int, sets: int) -> list[Tensor]:
    """Draw prompts uniformly within ±√(6 / (fan + width)), as in the code of Jia et al. 2022.

    The fan is the number of elements of an image patch.
    """
    config: Any = learner.model.config
    width = entry_width(learner)
    patch = getattr(config, "patch_size", None)
    fan = getattr(config, "num_channels", 3) * patch**2 if isinstance(patch, int) else width
    bound = (6 / (fan + width)) ** 0.5
    return [torch.empty(length, width).uniform_(-bound, bound) for _ in range(sets)]


def entry_width(learner: Learner) -> int:
    """Return the width of the blocks' input."""
    config: Any = learner.model.config
    found = next(getattr(config, name) for name in ("hidden_size", "d_model", "n_embd", "dim") if hasattr(config, name))
    return int(found)


@torch.no_grad()
def entering(learner: Learner, batch: Mapping[str, Tensor], blocks: Sequence[nn.Module]) -> list[Tensor]:
    """Return the input of each of `blocks` in evaluation mode, each [batch, tokens, width]."""
    seen: list[Tensor] = []

    def note(module: nn.Module, arguments: Any) -> None:
        del module
        seen.append(arguments[0])

    handles = [block.register_forward_pre_hook(note) for block in blocks]
    learner.eval()
    learner.forward(batch)
    for handle in handles:
        handle.remove()
    return seen


def real_tokens(batch: Mapping[str, Tensor], hidden: Tensor, place: int) -> Tensor:
    """Return a mask of the tokens that are neither padding nor class tokens; boolean, [batch, tokens]."""
    mask = batch.get("attention_mask")
    if mask is not None and mask.shape == hidden.shape[:2]:
        real = mask.bool().clone()
    else:
        real = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
    real[:, :place] = False
    return real
