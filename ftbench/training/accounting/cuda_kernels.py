"""Simulate CUDA kernels with fake tensors on the CPU, whose own kernels keep other activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


class CudaKernels(TorchFunctionMode):
    """Replaces attention by the memory-efficient kernel, and dropout by one that keeps a mask of a byte per element."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a function or its replacement."""
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention:
            return efficient_attention(*args, **kwargs)
        if func is torch.nn.functional.dropout:
            return masked_dropout(*args, **kwargs)
        return func(*args, **kwargs)


def masked_dropout(
    input: Tensor,  # noqa: A002 - torch's name
    p: float = 0.5,
    training: bool = True,  # noqa: FBT002 - torch's signature
    inplace: bool = False,  # noqa: FBT002 - torch's signature
) -> Tensor:
    """Compute `torch.nn.functional.dropout` as a CUDA GPU does."""
    del inplace
    dropped: Tensor = torch.native_dropout(input, p, train=True)[0] if training and p > 0 else input
    return dropped


def efficient_attention(  # noqa: PLR0917 - torch's signature
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT002 - torch's signature
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT002 - torch's signature
) -> Tensor:
    """Compute `torch.nn.functional.scaled_dot_product_attention` with the memory-efficient kernel.

    Source: Rabe and Staats 2021, arXiv:2112.05682.

    Args:
        query: [batch, heads, queries, width].
        key: [batch, key heads, keys, width].
        value: same shape as `key`.
        attn_mask: broadcasts to [batch, heads, queries, keys]; boolean (true attends) or added to the scores.
        dropout_p: dropout probability of the attention weights.
        is_causal: whether a query attends only to keys up to its own position.
        scale: factor on the scores; by default 1 / √width.
        enable_gqa: whether several heads share a key.

    Returns:
        [batch, heads, queries, width].
    """
    if enable_gqa:
        key, value = (part.repeat_interleave(query.shape[1] // part.shape[1], dim=1) for part in (key, value))
    bias = None if attn_mask is None else _bias(attn_mask, query, key)
    recorded = torch.is_grad_enabled() and any(part.requires_grad for part in (query, key, value))
    attended: Tensor = torch.ops.aten._scaled_dot_product_efficient_attention(  # noqa: SLF001 - no public name
        query, key, value, bias, recorded, dropout_p, is_causal, scale=scale
    )[0]
    return attended


def _bias(mask: Tensor, query: Tensor, key: Tensor) -> Tensor:
    """Convert a mask to a bias that is added to the scores.

    Its rows in memory have a multiple of 16 elements, as torch makes them for this kernel.
    """
    if mask.dtype == torch.bool:
        mask = torch.where(mask, 0.0, float("-inf")).to(query.dtype)
    keys = key.shape[2]
    if mask.shape[-1] == keys and keys % 16:
        mask = torch.nn.functional.pad(mask, (0, 16 - keys % 16))[..., :keys]
    return mask.expand(query.shape[0], query.shape[1], query.shape[2], keys)
