"""A fake tensor mode that caches operations by the shapes of their arguments: a step repeats the same ones often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, in_kernel_invocation_manager
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor

    Observer = Callable[[Any, tuple[Any, ...], Mapping[str, Any], Any], None]

_DEVICE = torch.ops.prim.device.default
"""The most frequent operation on fake tensors."""
_VALUES = (int, float, bool, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format)
_CHANGING = (torch.Tag.inplace_view, torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
"""Tags of operations whose output depends on values, or that change the shape of an argument."""


@dataclass(frozen=True)
class _NewTensor:
    """A tensor that an operation returns: a new one, or a view of an argument."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype
    device: torch.device
    source: int | None
    """Index of the argument that it is a view of; None if it has its own storage."""

    @property
    def size(self) -> int:
        """Bytes from the first element to the last."""
        if 0 in self.shape:
            return 0
        return self.dtype.itemsize * (
            1 + sum((length - 1) * step for length, step in zip(self.shape, self.stride, strict=True))
        )


@dataclass(frozen=True)
class _ReturnedArgument:
    """An argument that an operation returns."""

    source: int


@dataclass(frozen=True)
class _Outputs:
    """What an operation returns."""

    outputs: tuple[_NewTensor | _ReturnedArgument | None, ...]
    container: type | None
    """`tuple` or `list`; None if the operation returns a single value."""


class CachedFakeMode(FakeTensorMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Returns the same results as torch's own mode at half the cost.

    torch's cache keys every operation by all properties of its arguments. This cache covers operations on fake tensors
    and plain values that return new tensors, views of arguments, arguments or None; torch runs all others.
    """

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self.observer: Observer | None = None
        """Called with function, arguments and result of every operation that is not part of another."""
        self._inside = False
        self._known: dict[tuple[Any, ...], _Outputs | None] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation."""
        if func is _DEVICE:
            return args[0].fake_device
        kwargs = kwargs or {}
        if self._inside:
            return self.dispatch(func, types, args, kwargs)
        self._inside = True
        try:
            made = self._run(func, types, args, kwargs)
        finally:
            self._inside = False
        if self.observer is not None:
            self.observer(func, args, kwargs, made)
        return made

    def _run(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if func in _TRANSCRIPTS:
            return _TRANSCRIPTS[func](*args)
        parts: list[Any] = [func, torch.is_inference_mode_enabled()]
        if not (_describe(args, parts) and _describe(kwargs.items(), parts)):
            return self.dispatch(func, types, args, kwargs)
        key = tuple(parts)
        known = self._known.get(key)
        if known is None:
            made = self.dispatch(func, types, args, kwargs)
            if key not in self._known:
                self._known[key] = _outputs_of(func, args, kwargs, made)
            return made
        outputs = [self._output(one, args) for one in known.outputs]
        return outputs[0] if known.container is None else known.container(outputs)

    def _output(self, one: _NewTensor | _ReturnedArgument | None, args: tuple[Any, ...]) -> Any:
        if one is None:
            return None
        if isinstance(one, _ReturnedArgument):
            return args[one.source]
        storage = None if one.source is None else args[one.source].untyped_storage()
        with in_kernel_invocation_manager(self):
            tensor = torch.empty_strided(one.shape, one.stride, dtype=one.dtype, device="meta")
            if storage is not None:
                tensor.set_(storage, one.offset, one.shape, one.stride)
        return FakeTensor(self, tensor, one.device)


def _ctc_loss(log_probability: Tensor, targets: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    """Return outputs of the shapes that the kernel returns: losses [examples], and what the gradient needs.

    The latter has the shape [examples, frames, 2 · characters of the longest + 1]. The lengths of transcripts are
    values, which fake tensors do not have, so all are assumed to have the maximum length that `targets` allows, with
    one transcript after another or one per row. torch's own mode refuses this operation: the shape depends on lengths.
    """
    frames, examples, _outputs = log_probability.shape
    characters = targets.shape[1] if targets.ndim == 2 else targets.shape[0] // examples
    return log_probability.new_empty(examples), log_probability.new_empty(examples, frames, 2 * characters + 1)


def _ctc_loss_gradient(_gradient: Tensor, log_probability: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(log_probability)


_TRANSCRIPTS: Mapping[Any, Callable[..., Any]] = {
    torch.ops.aten._ctc_loss.Tensor: _ctc_loss,  # noqa: SLF001 - no public name
    torch.ops.aten._ctc_loss_backward.Tensor: _ctc_loss_gradient,  # noqa: SLF001 - no public name
}
"""Operations that torch cannot run on fake tensors, with their replacements."""


def _describe(values: Iterable[Any], parts: list[Any]) -> bool:
    """Append to `parts` all properties of arguments that a result may depend on; return False if they are unknown."""
    for value in values:
        kind = type(value)
        if kind is FakeTensor:
            if value.constant is not None or value.dtype.is_complex:
                return False
            parts += (value.shape, value.stride(), value.storage_offset(), value.dtype, value.fake_device)
        elif kind in _VALUES:
            # The type as well: 1, 1.0 and True are equal but make different tensors.
            parts += (kind, value)
        elif kind in (tuple, list):
            parts += (kind, len(value))
            if not _describe(value, parts):
                return False
        else:
            return False
    return True


def _outputs_of(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], made: Any) -> _Outputs | None:
    """Describe a result so that it can be made again; None if that is not possible."""
    if any(tag in func.tags for tag in _CHANGING):
        return None
    container = type(made) if isinstance(made, tuple | list) else None
    arguments = {id(arg): index for index, arg in enumerate(args)}
    sources = {_storage(arg): index for index, arg in enumerate(args) if isinstance(arg, FakeTensor)}
    taken = {_storage(arg) for arg in tree_leaves((args, kwargs)) if isinstance(arg, FakeTensor)} - set(sources)
    outputs: list[_NewTensor | _ReturnedArgument | None] = []
    for output in made if container else [made]:
        if output is None:
            outputs.append(None)
            continue
        if type(output) is not FakeTensor or output.constant is not None or _storage(output) in taken:
            return None
        if id(output) in arguments:
            outputs.append(_ReturnedArgument(arguments[id(output)]))
            continue
        shape, stride = (tuple(map(int, numbers)) for numbers in (output.shape, output.stride()))
        source = sources.get(_storage(output))
        one = _NewTensor(shape, stride, int(output.storage_offset()), output.dtype, output.fake_device, source)
        if one.source is None:
            if one.offset or output.untyped_storage().nbytes() != one.size:
                return None
            taken.add(_storage(output))
        outputs.append(one)
    return _Outputs(tuple(outputs), None if container is None else list if container is list else tuple)


def _storage(tensor: Any) -> int:
    address: int = tensor.untyped_storage()._cdata  # noqa: SLF001 - torch has no public name for it
    return address
