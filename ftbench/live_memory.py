"""Bytes of all live tensors while a program runs, by what they are for, and the floating-point operations it does."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor


@dataclass(frozen=True)
class Footprint:
    """Bytes of live tensors at one moment."""

    parameters: int = 0
    """Parameters and buffers of the network that is trained."""
    gradients: int = 0
    """Gradients of parameters."""
    optimizer: int = 0
    """What the optimizer keeps from step to step."""
    activations: int = 0
    """Inputs, what the forward pass keeps for the backward pass, and whatever lives for a moment."""
    extra: int = 0
    """What the strategy keeps beside: a teacher, Fisher information, anchors."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.parameters + self.gradients + self.optimizer + self.activations + self.extra


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
        self._blocks: dict[int, _Block] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
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
        for tensor in [made] if isinstance(made, torch.Tensor) else tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor, "activations")

    def mark(self, tensors: Iterable[Any], kind: str) -> None:
        """Say what tensors are for, those not seen yet too; the peak is told apart anew where they were part of it."""
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
        block = self._blocks[key] = _Block(size, kind, len(self.totals))
        weakref.finalize(storage, self._free, key).atexit = False
        self.live[kind] += size
        self._total += size
        self.totals.append(self._total)
        stretch = self._stretches[-1]
        if self.watching and self._total > stretch.highest:
            stretch.highest, stretch.at, stretch.peak = self._total, block.born, dict(self.live)
        return block

    def _free(self, key: int) -> None:
        block = self._blocks.pop(key)
        self.live[block.kind] -= block.size
        self._total -= block.size


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

    own = {aten._scaled_dot_product_flash_attention_for_cpu: forward, aten._scaled_dot_product_flash_attention_for_cpu_backward: backward}  # noqa: SLF001
    return {**own, **torchs.flop_registry}
