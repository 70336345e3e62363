"""Attention with trained keys and values in front, for every model that goes through transformers' AttentionInterface."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = "ftbench_prefix"


class KeyValuePrefix(nn.Module):
    """Trained keys and values of one attention layer, each [length, heads · head width]."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(length, width) * 0.02)
        self.values = nn.Parameter(torch.randn(length, width) * 0.02)


def attach_prefixes(model: Any, layers: Sequence[nn.Module], length: int, device: torch.device) -> None:
    """Give each attention layer a prefix; the prefixes become parameters of `model` as `ftbench_prefixes`."""
    _register()
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    prefixes = nn.ModuleList(KeyValuePrefix(length, width) for _ in layers).to(device)
    model.add_module("ftbench_prefixes", prefixes)
    for layer, prefix in zip(layers, prefixes, strict=True):
        # Behind a tuple: the layer must not own the prefix a second time.
        layer.ftbench_prefix = (prefix,)  # type: ignore[assignment]
    model.set_attn_implementation(_NAME)


@cache
def _register() -> None:
    """Make the attention known, and its masks: without them transformers drops the padding mask silently."""
    from transformers import AttentionInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

    AttentionInterface.register(_NAME, prefix_attention)
    AttentionMaskInterface.register(_NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])


def prefix_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attend to the layer's prefix beside its own keys.

    Args:
        module: the attention layer.
        query: [batch, heads, queries, head width].
        key: [batch, key heads, keys, head width].
        value: as `key`.
        attention_mask: [batch, 1, queries, keys], boolean (true attends) or added to the scores; None for all, or
            for a causal layer's lower triangle.
        options: what transformers passes to attention functions.

    Returns:
        [batch, queries, heads, head width], and no weights.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    prefix: KeyValuePrefix = module.ftbench_prefix[0]  # type: ignore[index,assignment]
    batch, heads, _, width = key.shape
    length = len(prefix.keys)

    def in_front(trained: Tensor, own: Tensor) -> Tensor:
        shaped = trained.view(length, heads, width).transpose(0, 1).unsqueeze(0).expand(batch, -1, -1, -1)
        return torch.cat([shaped.to(own.dtype), own], dim=2)

    queries, keys = query.shape[2], key.shape[2]
    causal = options.pop("is_causal", None)
    if causal is None:
        causal = getattr(module, "is_causal", False)
    if attention_mask is None and causal and queries > 1:
        # Left to itself, the causal kernel would keep the prefix and cut off the last keys instead.
        attention_mask = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril(keys - queries)[None, None]
    if attention_mask is not None:
        seen = torch.ones if attention_mask.dtype == torch.bool else torch.zeros
        front = seen((*attention_mask.shape[:-1], length), dtype=attention_mask.dtype, device=query.device)
        attention_mask = torch.cat([front, attention_mask], dim=-1)
    output, _ = sdpa_attention_forward(
        module, query, in_front(prefix.keys, key), in_front(prefix.values, value), attention_mask, is_causal=False, **options
    )
    return output, None
