"""Convert networks to fake tensors, which have shapes but no values, and patch torch so that networks run on them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import torch
from torch._subclasses.fake_tensor import FakeTensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn
    from torch._subclasses.fake_tensor import FakeTensorMode


def make_fake(model: nn.Module, mode: FakeTensorMode) -> None:
    """Replace every parameter and buffer by a fake one of the same shape on the CPU; tied parameters stay tied."""
    made: dict[int, Any] = {}

    def fake(tensor: Tensor) -> Any:
        if id(tensor) not in made:
            with mode, torch.no_grad():
                empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu")
            made[id(tensor)] = (
                torch.nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, torch.nn.Parameter) else empty
            )
        return made[id(tensor)]

    for module in model.modules():
        _replace(module, fake)


def _replace(module: nn.Module, change: Callable[[Tensor], Any]) -> None:
    for own in (module._parameters, module._buffers):  # noqa: SLF001 - setattr would look for hooks
        for name, tensor in own.items():
            if tensor is not None:
                own[name] = change(tensor)


@contextmanager
def modules_of_fakes() -> Iterator[None]:
    """Make it possible to create and move modules with fake parameters.

    `Module.to` and similar methods replace parameters by new ones: torch would swap the data inside, which fails for
    fake tensors. Truncated normal initialisation is skipped: it redraws until all values are in range, and fake tensors
    have no values.
    """

    def apply(
        module: nn.Module,
        change: Callable[[Tensor], Tensor],
        recurse: bool = True,  # noqa: FBT002 - torch's signature
    ) -> nn.Module:
        def changed(tensor: Tensor) -> Any:
            with torch.no_grad():
                found = change(tensor)
            if found is tensor or not isinstance(tensor, torch.nn.Parameter):
                return found
            return torch.nn.Parameter(found, tensor.requires_grad)

        for part in module.modules() if recurse else [module]:
            _replace(part, changed)
        return module

    def untouched(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
        return tensor

    with patch.object(torch.nn.Module, "_apply", apply), patch.object(torch.nn.init, "trunc_normal_", untouched):
        yield


@contextmanager
def masks_without_values() -> Iterator[None]:
    """Make it possible to index tensors with masks whose values are unknown.

    `x[mask]` selects every element, the maximum. `x[mask, :]` selects one element per row: encoder-decoders use it to
    find the end of each text, where they pool it.
    """
    getitem, unique_consecutive = torch.Tensor.__getitem__, torch.unique_consecutive

    def select(whole: Tensor, key: Any) -> Tensor:
        if _is_mask(key):
            return whole.flatten(0, key.ndim - 1)
        if isinstance(key, tuple) and len(key) == 2 and _is_mask(key[0]) and key[0].ndim == 2:
            rows = torch.arange(whole.shape[0])
            return getitem(whole, (rows, torch.zeros_like(rows)))
        return getitem(whole, key)

    def unique(values: Tensor, *arguments: Any, **options: Any) -> Any:
        return values[:1] if isinstance(values, FakeTensor) else unique_consecutive(values, *arguments, **options)

    # Not a torch function mode: it would be called for every access to a tensor, tens of thousands of times per step.
    with patch.object(torch.Tensor, "__getitem__", select), patch.object(torch, "unique_consecutive", unique):
        yield


@contextmanager
def lists_of_fakes() -> Iterator[None]:
    """Make torch's functions on lists of tensors process fake tensors at once too: torch checks the exact type."""
    from torch.utils import _foreach_utils

    with patch.object(_foreach_utils, "_foreach_supported_types", [torch.Tensor, FakeTensor]):
        yield


def _is_mask(key: Any) -> bool:
    return isinstance(key, FakeTensor) and key.dtype == torch.bool
