"""Simulate a strategy's training in a few steps, with real or fake tensors, to count its FLOPs and memory."""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils._python_dispatch import _disable_current_modes

from ...api.meter import Watch
from ...errors import NotApplicable
from ..bench import TrialBench
from ..loop import Loop
from ..optimizers import Scaling
from ..phases import Phases
from ..seeding import seed_all
from .cuda_kernels import CudaKernels
from .fake_cache import CachedFakeMode
from .fake_model import lists_of_fakes, make_fake, masks_without_values, modules_of_fakes
from .memory_tracker import LiveMemory, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Parameter

    from ...api.backbone import Backbone
    from ...api.catalog import Catalog
    from ...api.learner import Learner
    from ...api.loader import Loader
    from ...api.meter import Trace
    from ...api.strategy import OpenSplit, Strategy
    from ..bench import StageData

STEPS = 100
"""Nominal steps of a training, of which only the last are made: by then every parameter that is ever trained is."""


@dataclass(frozen=True)
class StepMemory:
    """Live bytes during one step, including all of the optimizer's state."""

    backward: list[int]
    """After each allocation of the forward and backward pass."""
    between: int
    """Before the update."""
    update: list[int]
    """After each allocation of the update."""


@dataclass(frozen=True)
class Growth:
    """Memory of one step at two batch sizes."""

    sizes: tuple[int, int]
    steps: tuple[StepMemory, StepMemory]

    def lines(self, micro_batches: int) -> Iterator[tuple[int, int]]:
        """Yield each moment's bytes as a line: bytes without examples, and bytes per example of a micro-batch.

        Args:
            micro_batches: number of micro-batches of a step.

        Raises:
            ValueError: the two steps have a different number of moments.
        """
        (few, many), (one, other) = (size // micro_batches for size in self.sizes), self.steps
        for small, large in zip([*one.backward, one.between], [*other.backward, other.between], strict=True):
            slope = -(-(large - small) // (many - few))
            yield large - slope * many, slope
        slope = -(-(other.between - one.between) // (many - few))
        for total in one.update:
            yield total - slope * few, slope


class SimulatedTraining(TrialBench):
    """A bench whose trainings are two steps long.

    Args:
        stage_data: the stages; their examples are repeated if a batch needs more.
        backbone: the backbone; with fake tensors only its outline is used.
        catalog: builds nested strategies.
        fake: whether tensors are fake.
        target: `cpu`, or `cuda` for the kernels of a CUDA GPU; only with fake tensors.
        sizes: batch sizes at which the last step is repeated to measure how memory grows.
        seed: seed of the random numbers.
        device: device of real tensors.
    """

    def __init__(
        self,
        stage_data: Sequence[StageData],
        backbone: Backbone,
        catalog: Catalog,
        *,
        fake: bool,
        target: str,
        sizes: tuple[int, int] | None,
        seed: int,
        device: str,
    ) -> None:
        watch = Watch(device, 0)
        stage_data = [
            replace(data, training=replace(data.training, epochs=None, steps=STEPS, compile=False))
            for data in stage_data
        ]
        super().__init__(
            stage_data,
            backbone,
            catalog,
            Phases(watch, [], lambda: None),
            watch,
            seed=seed,
            device=torch.device(device),
            after_step=lambda *_: None,
        )
        self.memory = LiveMemory()
        self.fake = CachedFakeMode() if fake else None
        self.cuda, self.sizes = target == "cuda", sizes
        self._updated: dict[int, Parameter] = {}
        """Every parameter of the main learner that an optimizer updates, by identity."""
        self.flops = 0
        """FLOPs of the main learner's last step at the batch size of its protocol."""
        self.growth: list[Growth] = []
        self.outside_peak = 0
        """Peak of live bytes outside of optimizer steps."""
        self._outside_seen = 0

    def run(self, strategy: Strategy) -> Learner:
        """Simulate all stages: load, prepare, train, and keep what later stages need."""
        learner = self._first_learner()
        with self.tracked(learner):
            strategy.prepare(learner, self)
            for number, data in enumerate(self._stage_data):
                self.stage = number
                learner.activate(data.label, data.task)
                last = number + 1 == len(self._stage_data)
                if last or not _equal_cost(data, self._stage_data[number + 1]):
                    strategy.fit(learner, self)
                if not last:
                    strategy.foresee_end_stage(learner, self)
        return learner

    def trained(self) -> list[Parameter]:
        """Return every parameter that the main trainings update; equal stages update equal parts of their heads."""
        assert self._main is not None
        active = self._main.heads.get(self._main.active, {})
        names = {
            (module, name)
            for module, part in active.items()
            for name, parameter in part.named_parameters()
            if id(parameter) in self._updated
        }
        heads = [
            parameter
            for modules in self._main.heads.values()
            for module, part in modules.items()
            for name, parameter in part.named_parameters()
            if (module, name) in names
        ]
        return list({**self._updated, **{id(parameter): parameter for parameter in heads}}.values())

    def _first_learner(self) -> Learner:
        learner: Learner | None = None
        for number, data in enumerate(self._stage_data):
            self.stage = number
            seed_all(self.seed, number)
            donor = TrialBench.load(self)
            learner = learner or donor
            learner.adopt_head(data.label, donor)
        self.stage = 0
        assert learner is not None, "there is at least one stage"
        learner.activate(self._stage_data[0].label, self._stage_data[0].task)
        self.adopt(learner)
        return learner

    @contextmanager
    def tracked(self, learner: Learner) -> Iterator[None]:
        """Track tensors inside; garbage collection is off, so that equal runs give equal numbers."""
        # Exclude existing objects from the collections in `train`, which would otherwise take longer than all the rest.
        gc.freeze()
        gc.disable()
        try:
            with ExitStack() as modes:
                if self.fake is not None:
                    modes.enter_context(modules_of_fakes())
                    modes.enter_context(masks_without_values())
                    modes.enter_context(lists_of_fakes())
                    modes.enter_context(self.fake)
                    self.fake.observer = self.memory.observe
                else:
                    modes.enter_context(self.memory)
                if self.cuda:
                    modes.enter_context(CudaKernels())
                self._mark(learner)
                yield
                self._update_outside_peak()
        finally:
            gc.enable()
            gc.unfreeze()

    def _mark(self, learner: Learner) -> None:
        tensors = [tensor for named in (learner.named_parameters(), learner.named_buffers()) for _, tensor in named]
        self.memory.mark(tensors, "parameters" if learner is self._main else "extra")

    # -- methods of a bench --------------------------------------------------------------------------------------------

    def load(self, backbone: Backbone | None = None) -> Learner:
        """Load a second learner; with fake tensors, its outline."""
        learner = super().load(backbone)
        self._mark(learner)
        return learner

    def load_language_model(self) -> Learner:
        """Load the backbone with its language model's head; not possible with fake tensors, because it has no outline.

        Raises:
            NotApplicable: tensors are fake.
        """
        if self.fake is not None:
            raise NotApplicable("it trains a language model first, whose cost cannot be predicted")
        return super().load_language_model()

    def _loaded(self, backbone: Backbone, data: StageData) -> Learner:
        if self.fake is None:
            return super()._loaded(backbone, data)
        with _disable_current_modes():
            learner = backbone.outline(data.task.outputs, data.task.answer)
        make_fake(learner.model, self.fake)
        return learner

    def predict(self, learner: Learner, split: OpenSplit = "train") -> NDArray[np.float32]:
        """Run the forward pass of one batch for its memory; return zeros, shape [examples, outputs]."""
        encoded = self.encoded(split, learner=learner)
        rows = np.arange(self.training.eval_batch_size) % len(encoded)
        learner.eval()
        with _disable_current_modes():
            batch, *_ = self.loader(split, learner=learner).batch(rows, 0)
        with torch.no_grad():
            learner.forward(self._on_device(batch))
        return np.zeros((len(encoded), self.task.outputs), np.float32)

    def train(self, learner: Learner, strategy: Strategy, *, loader: Loader | None = None) -> Trace:
        """Make the last two steps of a training, and repeat the last at other batch sizes."""
        main = learner is self._main
        if loader is None:
            loader = self.loader() if main else self.loader(learner=learner)
        loop = _TrackedLoop(learner, loader, strategy, self.memory)
        learner.train()
        gc.collect()
        self._mark(learner)
        self.memory.settle()
        self._update_outside_peak()
        for step in range(loader.steps - 1):
            strategy.before_step(learner, step)
        flops = self._steps(loop, loader)
        if main:
            self.flops = flops
            self._updated |= {id(parameter): parameter for parameter in loop.parameters}
        self._outside_seen = len(self.memory.totals)
        return loop.trace

    def _steps(self, loop: _TrackedLoop, loader: Loader) -> int:
        """Make the last step with the optimizer's state allocated; return its FLOPs.

        The first update allocates the state. With fake tensors this step is enough, unless it allocates other memory
        that stays. If the growth of memory is measured, this step has another batch size.
        """
        memory, last, own = self.memory, loader.steps - 1, loader.training.batch_size
        before, flops = dict(memory.live), memory.flops
        first = self._step(loop, loader, last, self.sizes[1] if self.sizes else own, tracks_peak=self.sizes is None)
        stayed = {kind: size - before[kind] for kind, size in memory.live.items()}
        state = stayed.pop("optimizer")
        if self.fake is not None and self.sizes is None and not any(stayed.values()):
            loop.backward_segment.add("optimizer", state)
            return memory.flops - flops
        flops = memory.flops
        found = self._step(loop, loader, last, own)
        flops = memory.flops - flops
        if self.sizes:
            if self.sizes[0] != own:
                found = self._step(loop, loader, last, self.sizes[0], tracks_peak=False)
            self.growth.append(Growth(self.sizes, (found, first)))
        return flops

    def _step(
        self, loop: _TrackedLoop, loader: Loader, step: int, size: int, *, tracks_peak: bool = True
    ) -> StepMemory:
        """Make a step on a batch of `size`."""
        sized = copy(loader)
        sized.training = replace(loader.training, batch_size=size)
        memory, begin, state = self.memory, len(self.memory.totals), self.memory.live["optimizer"]
        memory.tracks_peak = tracks_peak
        memory.next_segment()
        with _disable_current_modes():
            micro_batches = sized.micro_batches(np.arange(size) % len(loader.encoded), 0)
        micro_batches = [
            replace(micro_batch, batch=self._on_device(micro_batch.batch)) for micro_batch in micro_batches
        ]
        loop.step(step, micro_batches)
        loop.pending.clear()
        memory.tracks_peak = True
        memory.next_segment()
        new = memory.live["optimizer"] - state
        middle, before = loop.before_update
        return StepMemory([total + new for total in memory.totals[begin:middle]], before + new, memory.totals[middle:])

    def _on_device(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        if self.fake is not None:
            batch = {name: self.fake.from_tensor(tensor) for name, tensor in batch.items()}
        self.memory.mark(batch.values(), "activations")
        return batch

    def _update_outside_peak(self) -> None:
        """Update the peak outside of steps with the allocations since the last call."""
        self.outside_peak = max([self.outside_peak, *self.memory.totals[self._outside_seen :]])
        self._outside_seen = len(self.memory.totals)


class _TrackedLoop(Loop):
    """The training loop, which marks gradients and optimizer state and reads no values."""

    def __init__(self, learner: Learner, loader: Loader, strategy: Strategy, memory: LiveMemory) -> None:
        super().__init__(learner, loader, strategy, loader.task.unit)
        self.memory = memory
        self.before_update = (0, 0)
        """Storages seen before the last update, and live bytes at that moment."""
        self.backward_segment = Segment()
        """The last forward and backward pass."""
        # As on a GPU, the loop then reads no values, because that would wait for the device.
        self.on_gpu = True
        if self.scaling is not None:
            self.scaling = _AlwaysFinite(self.optimizer, self.parameters, learner.device)

    def update(self, step: int) -> None:
        """Mark the gradients, update, and mark the optimizer's state."""
        from torch.utils._pytree import tree_leaves

        self.memory.mark((parameter.grad for _, parameter in self.learner.named_parameters()), "gradients")
        self.before_update = (len(self.memory.totals), sum(self.memory.live.values()))
        self.backward_segment = self.memory.next_segment()
        super().update(step)
        self.memory.mark(tree_leaves(dict(self.optimizer.state)), "optimizer")


class _AlwaysFinite(Scaling):
    """Loss scaling that assumes finite gradients, without reading their values."""

    def fits(self) -> bool:
        """Run the operations before an update; always return True."""
        self._scaler.unscale_(self._optimizer)
        torch.nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        self._scaler.update()
        return True


def _equal_cost(one: StageData, other: StageData) -> bool:
    """Return whether two stages have the same cost."""
    return one.task is other.task and one.open["train"] is other.open["train"] and one.training == other.training
