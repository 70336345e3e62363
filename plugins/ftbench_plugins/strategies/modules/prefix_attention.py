"""Attention with trained prefix keys and values, for every model that uses transformers' AttentionInterface."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAME = "ftbench_prefix"


class KeyValuePrefix(nn.Module):
    """Trained keys and values of one attention layer, each [length, heads · head width]."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(length, width) * 0.02)
        self.values = nn.Parameter(torch.randn(length, width) * 0.02)


def attach_prefixes(model: Any, layers: Sequence[nn.Module], length: int, device: torch.device) -> None:
    """Add a prefix to each attention layer; the prefixes become parameters of `model` as `ftbench_prefixes`."""
    _register()
    prefixes = nn.ModuleList(KeyValuePrefix(length, _key_width(layer, model.config)) for layer in layers).to(device)
    model.add_module("ftbench_prefixes", prefixes)
    for layer, prefix in zip(layers, prefixes, strict=True):
        # In a tuple, so that the layer does not register the prefix as a second owner.
        layer.ftbench_prefix = (prefix,)  # type: ignore[assignment]  # no module: a tuple
    model.set_attn_implementation(_NAME)


def _key_width(layer: nn.Module, config: Any) -> int:
    """Return the width of a layer's keys, over all heads; some networks grow wider from stage to stage."""
    projection = getattr(layer, "k_proj", None)
    if projection is not None:
        return int(projection.out_features)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return int(heads * (getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads))


class PrefixEncoder(nn.Module):
    """Makes the prefixes of all layers: an embedding, a hidden layer with tanh, all keys and values at once."""

    def __init__(self, length: int, width: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(length, width))
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, outputs)

    def forward(self) -> Tensor:
        """Return all prefixes, [length, layers · 2 · heads · head width]."""
        made: Tensor = self.outer(torch.tanh(self.inner(self.embedding)))
        return made


def project_prefixes(model: Any, hidden: int, device: torch.device) -> None:
    """Make the prefixes by a network in each forward pass; it becomes part of `model` as `ftbench_prefix_encoder`.

    Its parameters: P·d + (d·h + h) + (h + 1)·2·L·d (Li and Liang 2021, section 4.3).
    """
    prefixes = model.ftbench_prefixes
    length, width = prefixes[0].keys.shape
    encoder = PrefixEncoder(length, int(model.config.hidden_size), hidden, 2 * len(prefixes) * width).to(device)
    model.add_module("ftbench_prefix_encoder", encoder)
    for prefix in prefixes:
        del prefix.keys, prefix.values

    def make(_module: nn.Module, _arguments: Any) -> None:
        for prefix, part in zip(prefixes, encoder().chunk(len(prefixes), dim=1), strict=True):
            prefix.keys, prefix.values = part.chunk(2, dim=1)

    model.ftbench_prefix_hook = (model.register_forward_pre_hook(make), make)


def made_prefixes(model: Any, trained: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `trained` with the prefixes in place of the network that makes them, if there is one."""
    if not hasattr(model, "ftbench_prefix_encoder"):
        return dict(trained)
    kept = {name: tensor for name, tensor in trained.items() if not name.startswith("ftbench_prefix_encoder.")}
    with torch.no_grad():
        return {**kept, "ftbench_prefixes": model.ftbench_prefix_encoder()}


def drop_projection(model: Any) -> None:
    """Replace the network by the prefixes it makes; do nothing if there is no network."""
    if not hasattr(model, "ftbench_prefix_hook"):
        return
    handle, make = model.ftbench_prefix_hook
    with torch.no_grad():
        make(model, ())
    handle.remove()
    for prefix in model.ftbench_prefixes:
        made = {name: getattr(prefix, name).detach().clone() for name in ("keys", "values")}
        for name, value in made.items():
            delattr(prefix, name)
            setattr(prefix, name, nn.Parameter(value))
    del model.ftbench_prefix_encoder, model.ftbench_prefix_hook


def shift_positions(model: Any, length: int, *, after_padding: bool) -> None:
    """Start the positions of every forward pass at `length`.

    Args:
        model: takes `input_ids`, `attention_mask` and `position_ids`.
        length: the shift.
        after_padding: count only real tokens, from the padding position, like RoBERTa.
    """

    def shift(_module: nn.Module, arguments: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        ids = inputs["input_ids"]
        if after_padding:
            padding = int(model.config.pad_token_id)
            real = (ids != padding).int()
            positions = (torch.cumsum(real, dim=1) * real).long() + padding + length * real
        else:
            positions = torch.arange(length, length + ids.shape[1], device=ids.device).expand_as(ids)
        return arguments, {**inputs, "position_ids": positions}

    model.register_forward_pre_hook(shift, with_kwargs=True)


@cache
def _register() -> None:
    """Register the attention and its masks: without masks, transformers silently drops the padding mask."""
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
    """Attend to the layer's prefix and to its own keys.

    Args:
        module: the attention layer.
        query: [batch, heads, queries, head width].
        key: [batch, key heads, keys, head width].
        value: like `key`.
        attention_mask: [batch, 1, queries, keys], boolean (true attends) or added to the scores; None for all, or for a
            causal layer's lower triangle.
        options: passed to attention functions by transformers.

    Returns:
        [batch, queries, heads, head width], and no weights.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    held = getattr(module, "ftbench_prefix", None)
    if held is None:
        # A decoder's attention to the encoder has no prefix.
        plain: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return plain
    prefix: KeyValuePrefix = held[0]
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
        # By default, the causal kernel would keep the prefix and cut off the last keys instead.
        attention_mask = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril(keys - queries)[
            None, None
        ]
    if attention_mask is not None:
        seen = torch.ones if attention_mask.dtype == torch.bool else torch.zeros
        front = seen((*attention_mask.shape[:-1], length), dtype=attention_mask.dtype, device=query.device)
        attention_mask = torch.cat([front, attention_mask], dim=-1)
    output, _ = sdpa_attention_forward(
        module,
        query,
        in_front(prefix.keys, key),
        in_front(prefix.values, value),
        attention_mask,
        is_causal=False,
        **options,
    )
    return output, None
