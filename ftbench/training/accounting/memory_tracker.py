"""Track the bytes of all live tensors of a program by purpose, and count its floating-point operations."""

from __future__ import annotations

import sys
import weakref
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ...api.footprint import Footprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import FrameType

    from torch import Tensor, UntypedStorage


_ADD = torch.ops.aten.add.Tensor
_ENGINE = torch.autograd.graph._engine_run_backward.__code__  # noqa: SLF001 - no public name
_HERE = Path(__file__)
_BETWEEN = (str(_HERE), str(_HERE.with_name("fake_cache.py")), "_compile.py", "eval_frame.py", "_stats.py")
"""Files whose frames may be between autograd and this module: itself, the cache of fake tensors, torch's wrappers."""
KINDS = tuple(part.name for part in fields(Footprint))
"""Purposes of tensors."""


@dataclass
class _Storage:
    """A live storage."""

    size: int
    """Bytes."""
    kind: str
    born: int
    """Number of storages seen before it."""


@dataclass
class Segment:
    """A part of the program, and its peak."""

    highest: int = 0
    """Maximum of live bytes."""
    at: int = 0
    """Number of storages seen before the one that reached the maximum."""
    peak: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """Purpose → live bytes at the maximum."""

    def add(self, kind: str, size: int) -> None:
        """Add bytes that were allocated only later to the peak, as if they had been live."""
        self.peak[kind] += size
        self.highest += size


class LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Tracks every storage that an operation allocates until it is freed; works with real and fake tensors.

    Memory that a kernel allocates and frees within one operation, and the rounding of allocators, are not tracked.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.live = dict.fromkeys(KINDS, 0)
        self.totals: list[int] = []
        """Live bytes after each allocation."""
        self.flops = 0
        """FLOPs so far, as torch.utils.flop_counter counts them: matrix products, convolutions, attention."""
        self.tracks_peak = True
        """Whether peaks are updated."""
        self._total = 0
        self._segments = [Segment()]
        self._pending_sum: tuple[_Storage, int] | None = None
        """The last sum of two gradients, while it is not counted, and the address of the first gradient's storage."""
        self._storages: dict[int, _Storage] = {}
        """Address → live storage."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation and track its outputs."""
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        self.observe(func, args, kwargs, made)
        return made

    def observe(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], made: Any) -> None:
        """Track an operation that has run, with its arguments and outputs."""
        count = _formulas().get(getattr(func, "_overloadpacket", None))
        if count is not None:
            self.flops += int(count(*args, **kwargs, out_val=made))
        if func is _ADD and _sums_gradients():
            self._track_sum(made, args[0])
            return
        for tensor in [made] if isinstance(made, torch.Tensor) else tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._track(tensor, "activations")

    def mark(self, tensors: Iterable[Any], kind: str) -> None:
        """Set the purpose of tensors, tracking those that are new; peaks that include them are updated."""
        self._count_sum()
        for tensor in tensors:
            if not isinstance(tensor, torch.Tensor):
                continue
            storage = self._track(tensor, kind)
            if storage is None or storage.kind == kind:
                continue
            for moment in [self.live, *(one.peak for one in self._segments if storage.born <= one.at)]:
                moment[storage.kind] -= storage.size
                moment[kind] += storage.size
            storage.kind = kind

    def settle(self) -> None:
        """Reclassify all live activations as `extra`: they stay live."""
        self._count_sum()
        for storage in self._storages.values():
            if storage.kind == "activations":
                self.live["activations"] -= storage.size
                self.live["extra"] += storage.size
                storage.kind = "extra"

    def footprint(self) -> Footprint:
        """Return the peak so far."""
        return Footprint(**max(self._segments, key=lambda segment: segment.highest).peak)

    def next_segment(self) -> Segment:
        """End a segment and begin the next; return the one that ended."""
        self._count_sum()
        self._segments.append(Segment())
        return self._segments[-2]

    def _track(self, tensor: Tensor, kind: str) -> _Storage | None:
        """Start to track a tensor's storage; return it, or None if it is empty."""
        own = tensor.untyped_storage()
        known = self._storages.get(_address(own))
        if known is not None:
            return known
        if not own.nbytes():
            return None
        self._count_sum()
        storage = self._add(own, kind)
        self._count(storage)
        return storage

    def _add(self, own: UntypedStorage, kind: str) -> _Storage:
        key = _address(own)
        storage = self._storages[key] = _Storage(own.nbytes(), kind, len(self.totals))
        weakref.finalize(own, self._free, key).atexit = False
        return storage

    def _count(self, storage: _Storage) -> None:
        self.live[storage.kind] += storage.size
        self._total += storage.size
        self.totals.append(self._total)
        segment = self._segments[-1]
        if self.tracks_peak and self._total > segment.highest:
            segment.highest, segment.at, segment.peak = self._total, storage.born, dict(self.live)

    def _track_sum(self, made: Tensor, first: Tensor) -> None:
        """Postpone counting a sum: if its first term is freed next, autograd without tracking would add in place."""
        self._count_sum()
        own = made.untyped_storage()
        if first.untyped_storage().nbytes() != own.nbytes():
            self._track(made, "activations")
            return
        self._pending_sum = (self._add(own, "activations"), _address(first.untyped_storage()))

    def _count_sum(self) -> None:
        """Count the postponed sum of gradients, which did not replace its first term."""
        if self._pending_sum is not None:
            storage, self._pending_sum = self._pending_sum[0], None
            self._count(storage)

    def _free(self, key: int) -> None:
        if self._pending_sum is not None and self._pending_sum[1] == key:
            # The sum replaces its first term.
            total, self._pending_sum = self._pending_sum[0], None
            self.live[total.kind] += total.size
            self._total += total.size
            total.born = self._storages[key].born
        else:
            self._count_sum()
        storage = self._storages.pop(key)
        self.live[storage.kind] -= storage.size
        self._total -= storage.size


def _address(storage: UntypedStorage) -> int:
    address: int = storage._cdata  # noqa: SLF001 - no public name
    return address


def _sums_gradients() -> bool:
    """Return whether autograd itself adds gradients, because a tensor was used twice.

    If so, no Python code is between autograd's engine and the caller.
    """
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the only way to see the caller
    while frame is not None and frame.f_code.co_filename.endswith(_BETWEEN):
        frame = frame.f_back
    return frame is not None and frame.f_code is _ENGINE


@cache
def _formulas() -> Mapping[Any, Callable[..., int]]:
    """Return torch's own FLOP formulas by operation, and one for the attention kernel that torch has none for."""
    from torch.utils import flop_counter

    torchs: Any = flop_counter

    aten: Any = torch.ops.aten

    def forward(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
        return int(torchs.sdpa_flop_count(query.shape, key.shape, value.shape))

    def backward(gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
        return int(torchs.sdpa_backward_flop_count(gradient.shape, query.shape, key.shape, value.shape))

    own = {
        aten._scaled_dot_product_flash_attention_for_cpu: forward,  # noqa: SLF001 - no public name
        aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,  # noqa: SLF001 - no public name
    }
    return {**own, **torchs.flop_registry}
