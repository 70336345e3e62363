"""Bytes of all live tensors while a program runs, by what they are for, and the floating-point operations it does."""

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

    from torch import Tensor


_ADD = torch.ops.aten.add.Tensor
_ENGINE = torch.autograd.graph._engine_run_backward.__code__  # noqa: SLF001 - where Python hands over to autograd
_HERE = Path(__file__)
_BETWEEN = (str(_HERE), str(_HERE.with_name("fake_cache.py")), "_compile.py", "eval_frame.py", "_stats.py")
"""Files whose frames may stand between autograd and this one: its own, the cache of fake tensors, torch's wrappers."""
"""Files through which an operation comes here."""
KINDS = tuple(part.name for part in fields(Footprint))


@dataclass
class _Block:
    """One storage."""

    size: int
    kind: str
    born: int
    """How many storages were seen before it."""


@dataclass
class Stretch:
    """A part of what was seen, and its peak."""

    highest: int = 0
    """Most live bytes."""
    at: int = 0
    """How many storages were seen before the one that made them so many."""
    peak: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """What they were for."""

    def add(self, kind: str, size: int) -> None:
        """Count what came to stay only later as if it had been there."""
        self.peak[kind] += size
        self.highest += size


class LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Sees every storage that an operation makes, and when it goes; real and fake tensors alike.

    What a kernel allocates and frees within one operation is not seen, nor how an allocator rounds.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = dict.fromkeys(KINDS, 0)
        self.totals: list[int] = []
        """Live bytes after each storage that was made."""
        self.flops = 0
        """Of the operations so far, as torch.utils.flop_counter counts them: matrix products, convolutions, attention."""
        self.watching = True
        """Whether the peak is kept."""
        self._total = 0
        self._stretches = [Stretch()]
        self._summed: tuple[_Block, int] | None = None
        """The sum of two gradients that was just made, and the storage of the first of them."""
        self._blocks: dict[int, _Block] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation and look at what it made."""
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        self.saw(func, args, kwargs, made)
        return made

    def saw(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], made: Any) -> None:
        """Look at an operation that was run: what it was, on what, and what it made."""
        count = _formulas().get(getattr(func, "_overloadpacket", None))
        if count is not None:
            self.flops += int(count(*args, **kwargs, out_val=made))
        if func is _ADD and _sums_gradients():
            self._see_sum(made, args[0])
            return
        for tensor in [made] if isinstance(made, torch.Tensor) else tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor, "activations")

    def mark(self, tensors: Iterable[Any], kind: str) -> None:
        """Say what tensors are for, those not seen yet too; the peak is told apart anew where they were part of it."""
        self._count_sum()
        for tensor in tensors:
            if not isinstance(tensor, torch.Tensor):
                continue
            block = self._see(tensor, kind)
            if block is None or block.kind == kind:
                continue
            for moment in [self.live, *(stretch.peak for stretch in self._stretches if block.born <= stretch.at)]:
                moment[block.kind] -= block.size
                moment[kind] += block.size
            block.kind = kind

    def settle(self) -> None:
        """Take whatever lives and has no other use for something that stays."""
        self._count_sum()
        for block in self._blocks.values():
            if block.kind == "activations":
                self.live["activations"] -= block.size
                self.live["extra"] += block.size
                block.kind = "extra"

    def footprint(self) -> Footprint:
        """Give the peak so far."""
        return Footprint(**max(self._stretches, key=lambda stretch: stretch.highest).peak)

    def part(self) -> Stretch:
        """End a stretch and begin the next; gives the one that ended."""
        self._count_sum()
        self._stretches.append(Stretch())
        return self._stretches[-2]

    def _see(self, tensor: Tensor, kind: str) -> _Block | None:
        storage = tensor.untyped_storage()
        key = storage._cdata  # noqa: SLF001 - the storage's address: torch has no public name for it
        known = self._blocks.get(key)
        if known is not None:
            return known
        size = storage.nbytes()
        if not size:
            return None
        self._count_sum()
        block = self._blocks[key] = _Block(size, kind, len(self.totals))
        weakref.finalize(storage, self._free, key).atexit = False
        self._count(block)
        return block

    def _count(self, block: _Block) -> None:
        self.live[block.kind] += block.size
        self._total += block.size
        self.totals.append(self._total)
        stretch = self._stretches[-1]
        if self.watching and self._total > stretch.highest:
            stretch.highest, stretch.at, stretch.peak = self._total, block.born, dict(self.live)

    def _see_sum(self, made: Tensor, first: Tensor) -> None:
        """Wait whether the first gradient goes at once: where nobody looks on, autograd then adds in place."""
        self._count_sum()
        storage = made.untyped_storage()
        if first.untyped_storage().nbytes() != storage.nbytes():
            self._see(made, "activations")
            return
        key = storage._cdata  # noqa: SLF001 - as above
        block = self._blocks[key] = _Block(storage.nbytes(), "activations", len(self.totals))
        weakref.finalize(storage, self._free, key).atexit = False
        self._summed = (block, first.untyped_storage()._cdata)  # noqa: SLF001 - as above

    def _count_sum(self) -> None:
        """Count the last sum of gradients, which did not take the place of its first part."""
        if self._summed is not None:
            block, self._summed = self._summed[0], None
            self._count(block)

    def _free(self, key: int) -> None:
        if self._summed is not None and self._summed[1] == key:
            block, self._summed = self._summed[0], None
            self.live[block.kind] += block.size
            self._total += block.size
            block.born = self._blocks[key].born
        else:
            self._count_sum()
        block = self._blocks.pop(key)
        self.live[block.kind] -= block.size
        self._total -= block.size


def _sums_gradients() -> bool:
    """Tell whether autograd itself asks for a sum, because a tensor was used twice: no code in Python stands between it and the caller."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the one way to see who asks
    while frame is not None and frame.f_code.co_filename.endswith(_BETWEEN):
        frame = frame.f_back
    return frame is not None and frame.f_code is _ENGINE


@cache
def _formulas() -> Mapping[Any, Callable[..., int]]:
    """Give torch's own formulas, by operation, and that of the one attention kernel it has none for."""
    from torch.utils import flop_counter

    torchs: Any = flop_counter

    aten: Any = torch.ops.aten

    def forward(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
        return int(torchs.sdpa_flop_count(query.shape, key.shape, value.shape))

    def backward(gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
        return int(torchs.sdpa_backward_flop_count(gradient.shape, query.shape, key.shape, value.shape))

    own = {
        aten._scaled_dot_product_flash_attention_for_cpu: forward,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
    }  # noqa: SLF001
    return {**own, **torchs.flop_registry}
