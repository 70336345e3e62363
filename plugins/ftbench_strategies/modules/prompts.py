"""Trained tokens among a network's own: put in at the first block, or anew at every block, and taken out after the last.

Everything happens at the residual blocks, so that positions, pooling and the length of the output are the backbone's own,
whatever it reads. Only the attention mask grows.
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
    """Trained tokens: one set that goes through all blocks (shallow), or a set for each block (deep).

    Args:
        blocks: the network's residual blocks, bottom first.
        vectors: what the tokens begin as, each [length, width]: one, or one a block.
        place: how many of the network's own tokens stand before them.
        causal: whether a token sees only what stands before it.
        dropout: share of the prompts' elements put to zero in training.
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
        """How many tokens are put in."""
        return len(self.vectors[0])

    def put_in(self, number: int, hidden: Tensor) -> Tensor:
        """Give what enters block `number`, [batch, length + tokens, width]; block 0 is given the network's own tokens alone."""
        if number >= len(self.vectors):
            return hidden
        vectors = self.dropout(self.vectors[number]).to(hidden.dtype).expand(len(hidden), -1, -1)
        rest = self.place if number == 0 else self.place + self.length
        return torch.cat([hidden[:, : self.place], vectors, hidden[:, rest:]], dim=1)

    def widened(self, mask: Tensor | None) -> Tensor | None:
        """Give the attention mask with the prompts in it; the same mask is widened once a forward pass."""
        if mask is None:
            return None
        known, wide = self._mask
        if known is not mask:
            wide = widened(mask, self.length, self.place, causal=self.causal)
            self._mask = (mask, wide)
        return wide

    def unturned(self, turning: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Give cosine and sine of rotary positions, [batch, tokens, width], with prompts that are not turned at all."""
        cosine, sine = turning
        return tuple(  # type: ignore[return-value]  # two of them
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
        # Behind a tuple: a hook is no place for a module to be owned a second time.
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
    """Find where a block takes its attention mask."""
    return list(inspect.signature(type(block).forward).parameters).index("attention_mask") - 1


def widened(mask: Tensor, length: int, place: int, *, causal: bool) -> Tensor:
    """Let every token see the prompts, and a prompt what a token at its place would see.

    Args:
        mask: [batch, keys], [batch, 1, 1, keys] or [batch, 1, queries, keys]; boolean (true attends), 0 and 1, or added to
            the scores.
        length: prompts put in.
        place: where, counted in tokens.
        causal: whether prompts see only the prompts before them.

    Returns:
        The mask with `length` more keys, and as many more queries where it has a row for each.
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
    """Put prompts behind the class tokens of the learner's network; they become part of it as `ftbench_prompts`."""
    place = learner.card.class_tokens
    assert place is not None
    causal = learner.card.objective == "causal"
    prompts = Prompts(learner.blocks(), vectors, place=place, causal=causal, dropout=dropout).to(device)
    learner.model.add_module("ftbench_prompts", prompts)
    return prompts


def uniform_vectors(learner: Learner, length: int, sets: int) -> list[Tensor]:
    """Draw prompts uniformly within ±√(6 / (fan + width)), fan the elements of an image patch (Jia et al. 2022, their code)."""
    config: Any = learner.model.config
    width = entry_width(learner)
    patch = getattr(config, "patch_size", None)
    fan = getattr(config, "num_channels", 3) * patch**2 if isinstance(patch, int) else width
    bound = (6 / (fan + width)) ** 0.5
    return [torch.empty(length, width).uniform_(-bound, bound) for _ in range(sets)]


def entry_width(learner: Learner) -> int:
    """Give the width of what enters the blocks."""
    config: Any = learner.model.config
    found = next(getattr(config, name) for name in ("hidden_size", "d_model", "n_embd", "dim") if hasattr(config, name))
    return int(found)


@torch.no_grad()
def entering(learner: Learner, batch: Mapping[str, Tensor], blocks: Sequence[nn.Module]) -> list[Tensor]:
    """Give what enters each of `blocks` in evaluation mode, each [batch, tokens, width]."""
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
    """Tell which tokens are neither padding nor class tokens; boolean, [batch, tokens]."""
    mask = batch.get("attention_mask")
    if mask is not None and mask.shape == hidden.shape[:2]:
        real = mask.bool().clone()
    else:
        real = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
    real[:, :place] = False
    return real
