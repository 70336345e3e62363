"""Networks of fake tensors: shapes without values, on whatever machine."""

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
    """Replace every parameter and buffer by a fake one of the same shape on the CPU, tied ones by the same."""
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
    for held in (module._parameters, module._buffers):  # noqa: SLF001 - what a module holds itself; setattr would look for hooks
        for name, tensor in held.items():
            if tensor is not None:
                held[name] = change(tensor)


@contextmanager
def modules_of_fakes() -> Iterator[None]:
    """Let modules be made and moved that hold fake parameters.

    `Module.to` and its like put new parameters in the place of the old: torch would exchange what is inside, and cannot for fakes.
    A truncated normal is not drawn: it is drawn again until all values are within, which fakes do not have.
    """

    def apply(module: nn.Module, change: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:  # noqa: FBT002 - torch's
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
    """Let tensors be picked by masks nobody can look at.

    `x[mask]` takes every element, the most there can be. `x[mask, :]` takes one of each row: so encoder-decoders find the end of
    each text, at which they sum it up.
    """
    picked, found_unique = torch.Tensor.__getitem__, torch.unique_consecutive

    def pick(whole: Tensor, key: Any) -> Tensor:
        if _is_mask(key):
            return whole.flatten(0, key.ndim - 1)
        if isinstance(key, tuple) and len(key) == 2 and _is_mask(key[0]) and key[0].ndim == 2:
            rows = torch.arange(whole.shape[0])
            return picked(whole, (rows, torch.zeros_like(rows)))
        return picked(whole, key)

    def unique(values: Tensor, *arguments: Any, **options: Any) -> Any:
        return values[:1] if isinstance(values, FakeTensor) else found_unique(values, *arguments, **options)

    # Not a mode of torch's: it would be asked at every look at a tensor, tens of thousands of times in a step.
    with patch.object(torch.Tensor, "__getitem__", pick), patch.object(torch, "unique_consecutive", unique):
        yield


@contextmanager
def lists_of_fakes() -> Iterator[None]:
    """Let functions on lists of tensors take fakes at once, as they do real ones: torch asks for the very type."""
    from torch.utils import _foreach_utils

    with patch.object(_foreach_utils, "_foreach_supported_types", [torch.Tensor, FakeTensor]):
        yield


def _is_mask(key: Any) -> bool:
    return isinstance(key, FakeTensor) and key.dtype == torch.bool
