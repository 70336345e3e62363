"""Fake tensors whose operations are remembered by the shapes they were done on: a step does the same ones thousands of times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, in_kernel_invocation_manager
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor

    Saw = Callable[[Any, tuple[Any, ...], Mapping[str, Any], Any], None]

_DEVICE = torch.ops.prim.device.default
"""What fake tensors are asked more often than all else."""
_VALUES = (int, float, bool, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format)
_CHANGING = (torch.Tag.inplace_view, torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
"""Marks of operations that give something else each time, or change the shape of what they are given."""


@dataclass(frozen=True)
class _Made:
    """A tensor as an operation made it."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype
    device: torch.device
    source: int | None
    """Number of the argument it is a view of; None where it has a storage of its own."""

    @property
    def size(self) -> int:
        """Bytes from its first element to its last."""
        if 0 in self.shape:
            return 0
        return self.dtype.itemsize * (
            1 + sum((length - 1) * step for length, step in zip(self.shape, self.stride, strict=True))
        )


@dataclass(frozen=True)
class _Given:
    """An argument that is given back."""

    source: int


@dataclass(frozen=True)
class _Recipe:
    """What an operation gives."""

    outputs: tuple[_Made | _Given | None, ...]
    several: type | None
    """`tuple` or `list`; None where it gives one thing and not several."""


class QuickFakes(FakeTensorMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Gives what torch's own mode gives, at half the price: that one looks up every operation by all there is to know of its arguments.

    Remembered are operations on fake tensors and plain values that give new tensors, views of arguments, arguments or nothing. All others
    are torch's.
    """

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self.saw: Saw | None = None
        """Is told of every operation that is not part of another: what it was, on what, and what it made."""
        self._inside = False
        self._known: dict[tuple[Any, ...], _Recipe | None] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation."""
        if func is _DEVICE:
            return args[0].fake_device
        kwargs = kwargs or {}
        if self._inside:
            return self.dispatch(func, types, args, kwargs)
        self._inside = True
        try:
            made = self._made(func, types, args, kwargs)
        finally:
            self._inside = False
        if self.saw is not None:
            self.saw(func, args, kwargs, made)
        return made

    def _made(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if func in _TRANSCRIPTS:
            return _TRANSCRIPTS[func](*args)
        parts: list[Any] = [func, torch.is_inference_mode_enabled()]
        if not (_describe(args, parts) and _describe(kwargs.items(), parts)):
            return self.dispatch(func, types, args, kwargs)
        key = tuple(parts)
        recipe = self._known.get(key)
        if recipe is None:
            made = self.dispatch(func, types, args, kwargs)
            if key not in self._known:
                self._known[key] = _recipe(func, args, kwargs, made)
            return made
        outputs = [self._output(one, args) for one in recipe.outputs]
        return outputs[0] if recipe.several is None else recipe.several(outputs)

    def _output(self, one: _Made | _Given | None, args: tuple[Any, ...]) -> Any:
        if one is None:
            return None
        if isinstance(one, _Given):
            return args[one.source]
        storage = None if one.source is None else args[one.source].untyped_storage()
        with in_kernel_invocation_manager(self):
            tensor = torch.empty_strided(one.shape, one.stride, dtype=one.dtype, device="meta")
            if storage is not None:
                tensor.set_(storage, one.offset, one.shape, one.stride)
        return FakeTensor(self, tensor, one.device)


def _ctc_loss(log_probability: Tensor, targets: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    """Give each transcript's loss, and what its gradient needs, as kernels do: [examples, frames, 2 · characters of the longest + 1].

    How long transcripts are is in values; all are taken to be as long as there is room for in `targets`, which are one after another
    or a row each. Torch's own fakes refuse: the shape depends on the lengths.
    """
    frames, examples, _outputs = log_probability.shape
    characters = targets.shape[1] if targets.ndim == 2 else targets.shape[0] // examples
    return log_probability.new_empty(examples), log_probability.new_empty(examples, frames, 2 * characters + 1)


def _ctc_loss_gradient(_gradient: Tensor, log_probability: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(log_probability)


_TRANSCRIPTS: Mapping[Any, Callable[..., Any]] = {
    torch.ops.aten._ctc_loss.Tensor: _ctc_loss,  # noqa: SLF001 - the operations behind ctc_loss have no other names
    torch.ops.aten._ctc_loss_backward.Tensor: _ctc_loss_gradient,  # noqa: SLF001
}
"""Operations whose outputs are known though torch cannot tell them."""


def _describe(values: Iterable[Any], parts: list[Any]) -> bool:
    """Add to `parts` all that what an operation gives may depend on; tells whether that can be said."""
    for value in values:
        kind = type(value)
        if kind is FakeTensor:
            if value.constant is not None or value.dtype.is_complex:
                return False
            parts += (value.shape, value.stride(), value.storage_offset(), value.dtype, value.fake_device)
        elif kind in _VALUES:
            # The kind as well: 1, 1.0 and True are equal, and make different tensors.
            parts += (kind, value)
        elif kind in (tuple, list):
            parts += (kind, len(value))
            if not _describe(value, parts):
                return False
        else:
            return False
    return True


def _recipe(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], made: Any) -> _Recipe | None:
    """Say how to give the same again; None where that cannot be said."""
    if any(tag in func.tags for tag in _CHANGING):
        return None
    several = type(made) if isinstance(made, tuple | list) else None
    given = {id(arg): place for place, arg in enumerate(args)}
    sources = {_storage(arg): place for place, arg in enumerate(args) if isinstance(arg, FakeTensor)}
    taken = {_storage(arg) for arg in tree_leaves((args, kwargs)) if isinstance(arg, FakeTensor)} - set(sources)
    outputs: list[_Made | _Given | None] = []
    for output in made if several else [made]:
        if output is None:
            outputs.append(None)
            continue
        if type(output) is not FakeTensor or output.constant is not None or _storage(output) in taken:
            return None
        if id(output) in given:
            outputs.append(_Given(given[id(output)]))
            continue
        shape, stride = (tuple(map(int, numbers)) for numbers in (output.shape, output.stride()))
        source = sources.get(_storage(output))
        one = _Made(shape, stride, int(output.storage_offset()), output.dtype, output.fake_device, source)
        if one.source is None:
            if one.offset or output.untyped_storage().nbytes() != one.size:
                return None
            taken.add(_storage(output))
        outputs.append(one)
    return _Recipe(tuple(outputs), None if several is None else list if several is list else tuple)


def _storage(tensor: Any) -> int:
    address: int = tensor.untyped_storage()._cdata  # noqa: SLF001 - torch has no public name for it
    return address
