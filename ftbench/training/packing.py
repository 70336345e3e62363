"""A nested value taken apart into JSON and tensors, and put together again: for disks, where nothing is pickled."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

_MANY = 16
"""Numbers from which a list of floats is a tensor."""


def pack(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """Take a value apart.

    Args:
        value: of None, bool, int, float, str, list, tuple, dict, torch tensors and numpy arrays, at any depth.

    Returns:
        JSON in which each tensor has a number, and the tensors by that number: on the CPU, none a part of another.

    Raises:
        TypeError: there is something else in it.
    """
    packer = _Packer()
    return packer.pack(value), packer.tensors


class _Packer:
    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._places: set[int] = set()

    def pack(self, value: Any) -> Any:
        # A whole number of numpy's, or a kind of torch's, would come back as something else.
        if value is None or type(value) in (bool, int, str):
            return value
        kind, content = self._taken_apart(value)
        return content if kind == "list" else {kind: content}

    def _taken_apart(self, value: Any) -> tuple[str, Any]:
        """Give what a value is, and its content packed."""
        import torch

        kinds: dict[type, tuple[str, Callable[[Any], Any]]] = {
            float: ("float", float.hex),
            torch.Tensor: ("tensor", self._add),
            torch.nn.Parameter: ("tensor", self._add),
            np.ndarray: ("array", lambda array: self._add(torch.from_numpy(np.ascontiguousarray(array)).reshape(array.shape))),
            tuple: ("tuple", lambda items: [self.pack(item) for item in items]),
            dict: ("dict", lambda table: [[self.pack(key), self.pack(item)] for key, item in table.items()]),
            defaultdict: ("dict", lambda table: [[self.pack(key), self.pack(item)] for key, item in table.items()]),
            list: ("list", lambda items: [self.pack(item) for item in items]),
        }
        if type(value) not in kinds:
            message = f"a {type(value).__name__} cannot be kept on disk"
            raise TypeError(message)
        if type(value) is list and len(value) >= _MANY and all(type(item) is float for item in value):
            return "floats", self._add(torch.tensor(value, dtype=torch.float64))
        kind, content = kinds[type(value)]
        return kind, content(value)

    def _add(self, tensor: Tensor) -> str:
        own = tensor.detach().to("cpu").contiguous()
        if own.untyped_storage().nbytes() != own.nbytes or own.data_ptr() in self._places:
            own = own.clone()
        if own.nbytes:
            self._places.add(own.data_ptr())
        name = str(len(self.tensors))
        self.tensors[name] = own
        return name


def unpack(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Put together what `pack` took apart.

    Raises:
        ValueError: it is nothing that `pack` gives.
    """
    if isinstance(packed, list):
        return [unpack(item, tensors) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "float":
        return float.fromhex(content)
    if kind == "tuple":
        return tuple(unpack(item, tensors) for item in content)
    if kind == "dict":
        return {unpack(key, tensors): unpack(item, tensors) for key, item in content}
    if kind in ("tensor", "array", "floats"):
        found = tensors[content]
        return found if kind == "tensor" else found.numpy() if kind == "array" else found.tolist()
    message = f"{kind!r} is nothing that is packed"
    raise ValueError(message)
