"""A strategy's training gone through in a few steps, with real tensors or with fake ones, so that it can be accounted for."""

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
from .fake_cache import QuickFakes
from .fake_model import lists_of_fakes, make_fake, masks_without_values, modules_of_fakes
from .memory_tracker import LiveMemory, Stretch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from ...api.backbone import Backbone
    from ...api.catalog import Catalog
    from ...api.learner import Learner
    from ...api.loader import Loader
    from ...api.meter import Trace
    from ...api.strategy import OpenSplit, Strategy
    from ..bench import StageData

STEPS = 100
"""Length of the training that is pretended, of which only the last steps are made: by then everything trains that ever will."""


@dataclass(frozen=True)
class Made:
    """Live bytes in the course of one step, with all of the optimizer's state."""

    learning: list[int]
    """After each storage that the forward and backward pass made."""
    between: int
    """Before the update."""
    updating: list[int]
    """After each storage that the update made."""


@dataclass(frozen=True)
class Growth:
    """One step with two batch sizes."""

    sizes: tuple[int, int]
    steps: tuple[Made, Made]

    def lines(self, parts: int) -> Iterator[tuple[int, int]]:
        """Give each moment's bytes as those of no example, and those of one more in each of `parts` micro-batches.

        Raises:
            ValueError: the two have not the same moments.
        """
        (few, many), (one, other) = (size // parts for size in self.sizes), self.steps
        for small, large in zip([*one.learning, one.between], [*other.learning, other.between], strict=True):
            growing = -(-(large - small) // (many - few))
            yield large - growing * many, growing
        growing = -(-(other.between - one.between) // (many - few))
        for total in one.updating:
            yield total - growing * few, growing


class SimulatedTraining(TrialBench):
    """A bench whose trainings are two steps long.

    Args:
        grounds: the stages; their examples are repeated where a batch has more.
        backbone: what is trained; of fake tensors its outline alone.
        catalog: where nested strategies are found.
        fake: whether tensors are fake, on whatever machine.
        target: `cpu`, or `cuda` for the kernels of a CUDA card; for fake tensors.
        sizes: further batch sizes to go through the last step with, to learn how memory grows.
        seed: decides what is drawn.
        device: where real tensors lie.
    """

    def __init__(
        self,
        grounds: Sequence[StageData],
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
        grounds = [
            replace(ground, training=replace(ground.training, epochs=None, steps=STEPS, compile=False))
            for ground in grounds
        ]
        super().__init__(
            grounds,
            backbone,
            catalog,
            Phases(watch, [], lambda: None),
            watch,
            seed=seed,
            device=torch.device(device),
            after_step=lambda *_: None,
        )
        self.memory = LiveMemory()
        self.fake = QuickFakes() if fake else None
        self.cuda, self.sizes = target == "cuda", sizes
        self.trained: dict[str, tuple[int, int]] = {}
        """Name → elements and bytes of every parameter of the main learner that an optimizer was given."""
        self.flops = 0
        """Of the last step of the main learner that was made at the batch size of its protocol."""
        self.growth: list[Growth] = []
        self.elsewhere = 0
        """Most live bytes outside of optimizer steps."""
        self._noted = 0

    def run(self, strategy: Strategy) -> Learner:
        """Go through all stages: load, prepare, train, and keep what later stages need."""
        learner = self._first_learner()
        with self.watched(learner):
            strategy.prepare(learner, self)
            for number, ground in enumerate(self._grounds):
                self.stage = number
                learner.activate(ground.label, ground.task)
                last = number + 1 == len(self._grounds)
                if last or not _alike(ground, self._grounds[number + 1]):
                    strategy.fit(learner, self)
                if not last:
                    strategy.foresee_end_stage(learner, self)
        return learner

    def _first_learner(self) -> Learner:
        learner: Learner | None = None
        for number, ground in enumerate(self._grounds):
            self.stage = number
            seed_all(self.seed, number)
            donor = TrialBench.load(self)
            learner = learner or donor
            learner.adopt_head(ground.label, donor)
        self.stage = 0
        assert learner is not None, "there is a stage at least"
        learner.activate(self._grounds[0].label, self._grounds[0].task)
        self.adopt(learner)
        return learner

    @contextmanager
    def watched(self, learner: Learner) -> Iterator[None]:
        """Look on while something is done with a learner; nothing is collected meanwhile, so that equal runs come to the same."""
        # What was there before is left alone: looking through it would take longer than the rest.
        gc.freeze()
        gc.disable()
        try:
            with ExitStack() as modes:
                if self.fake is not None:
                    modes.enter_context(modules_of_fakes())
                    modes.enter_context(masks_without_values())
                    modes.enter_context(lists_of_fakes())
                    modes.enter_context(self.fake)
                    self.fake.saw = self.memory.saw
                else:
                    modes.enter_context(self.memory)
                if self.cuda:
                    modes.enter_context(CudaKernels())
                self._mark(learner)
                yield
                self._note()
        finally:
            gc.enable()
            gc.unfreeze()

    def _mark(self, learner: Learner) -> None:
        tensors = [tensor for named in (learner.named_parameters(), learner.named_buffers()) for _, tensor in named]
        self.memory.mark(tensors, "parameters" if learner is self._main else "extra")

    # -- what a bench does -------------------------------------------------------------------------------------------------

    def load(self, backbone: Backbone | None = None) -> Learner:
        """Load a second learner, or its outline."""
        learner = super().load(backbone)
        self._mark(learner)
        return learner

    def load_language_model(self) -> Learner:
        """Refuse, with fake tensors: backbones have no outline of their language models.

        Raises:
            NotApplicable: always, with fake tensors.
        """
        if self.fake is not None:
            raise NotApplicable("it trains a language model first, of which nothing is predicted")
        return super().load_language_model()

    def _loaded(self, backbone: Backbone, ground: StageData) -> Learner:
        if self.fake is None:
            return super()._loaded(backbone, ground)
        with _disable_current_modes():
            learner = backbone.outline(ground.task.outputs, ground.task.answer)
        make_fake(learner.model, self.fake)
        return learner

    def predict(self, learner: Learner, split: OpenSplit = "train") -> NDArray[np.float32]:
        """Answer one batch, for what that takes; the answers are zeros."""
        encoded = self.encoded(split, learner=learner)
        rows = np.arange(self.training.eval_batch_size) % len(encoded)
        learner.eval()
        with _disable_current_modes():
            batch, *_ = self.loader(split, learner=learner).batch(rows, 0)
        with torch.no_grad():
            learner.forward(self._on_device(batch))
        return np.zeros((len(encoded), self.task.outputs), np.float32)

    def train(self, learner: Learner, strategy: Strategy, *, loader: Loader | None = None) -> Trace:
        """Make the last two steps of a training, and the very last again with further batch sizes."""
        main = learner is self._main
        if loader is None:
            loader = self.loader() if main else self.loader(learner=learner)
        loop = _Loop(learner, loader, strategy, self.memory)
        learner.train()
        gc.collect()
        self._mark(learner)
        self.memory.settle()
        self._note()
        for step in range(loader.steps - 1):
            strategy.before_step(learner, step)
        flops = self._steps(loop, loader)
        if main:
            self.flops = flops
            names = {id(parameter): name for name, parameter in learner.named_parameters()}
            self.trained |= {names[id(p)]: (p.numel(), p.nbytes) for p in loop.parameters}
        self._noted = len(self.memory.totals)
        return loop.trace

    def _steps(self, loop: _Loop, loader: Loader) -> int:
        """Make the last step as it is when the optimizer has its state; gives its FLOPs.

        The state is made in the first update. Of fake tensors one step so says all, unless something else came to stay in it; where it is
        asked how memory grows, that step has another batch size.
        """
        memory, last, own = self.memory, loader.steps - 1, loader.training.batch_size
        before, flops = dict(memory.live), memory.flops
        first = self._step(loop, loader, last, self.sizes[1] if self.sizes else own, watching=self.sizes is None)
        came = {kind: size - before[kind] for kind, size in memory.live.items()}
        state = came.pop("optimizer")
        if self.fake is not None and self.sizes is None and not any(came.values()):
            loop.learning.add("optimizer", state)
            return memory.flops - flops
        flops = memory.flops
        found = self._step(loop, loader, last, own)
        flops = memory.flops - flops
        if self.sizes:
            if self.sizes[0] != own:
                found = self._step(loop, loader, last, self.sizes[0], watching=False)
            self.growth.append(Growth(self.sizes, (found, first)))
        return flops

    def _step(self, loop: _Loop, loader: Loader, step: int, size: int, *, watching: bool = True) -> Made:
        """Make a step on a batch of `size`."""
        sized = copy(loader)
        sized.training = replace(loader.training, batch_size=size)
        memory, begin, state = self.memory, len(self.memory.totals), self.memory.live["optimizer"]
        memory.watching = watching
        memory.part()
        with _disable_current_modes():
            portions = sized.portions(np.arange(size) % len(loader.encoded), 0)
        portions = [replace(portion, batch=self._on_device(portion.batch)) for portion in portions]
        loop.step(step, portions)
        loop.pending.clear()
        memory.watching = True
        memory.part()
        new = memory.live["optimizer"] - state
        middle, before = loop.updating
        return Made([total + new for total in memory.totals[begin:middle]], before + new, memory.totals[middle:])

    def _on_device(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        if self.fake is not None:
            batch = {name: self.fake.from_tensor(tensor) for name, tensor in batch.items()}
        self.memory.mark(batch.values(), "activations")
        return batch

    def _note(self) -> None:
        """Take in what was live up to now, outside of steps."""
        self.elsewhere = max([self.elsewhere, *self.memory.totals[self._noted :]])
        self._noted = len(self.memory.totals)


class _Loop(Loop):
    """The training loop, which marks what it makes, and reads no value."""

    def __init__(self, learner: Learner, loader: Loader, strategy: Strategy, memory: LiveMemory) -> None:
        super().__init__(learner, loader, strategy, loader.task.unit)
        self.memory = memory
        self.updating = (0, 0)
        """Storages seen before the last update, and live bytes then."""
        self.learning = Stretch()
        """The last forward and backward pass."""
        # As on a GPU, where a look would wait.
        self.on_gpu = True
        if self.scaling is not None:
            self.scaling = _Fitting(self.optimizer, self.parameters, learner.device)

    def update(self, step: int) -> None:
        """Mark the gradients, update, and mark what the optimizer keeps."""
        from torch.utils._pytree import tree_leaves

        self.memory.mark((parameter.grad for _, parameter in self.learner.named_parameters()), "gradients")
        self.updating = (len(self.memory.totals), sum(self.memory.live.values()))
        self.learning = self.memory.part()
        super().update(step)
        self.memory.mark(tree_leaves(dict(self.optimizer.state)), "optimizer")


class _Fitting(Scaling):
    """Finds that all gradients fit, without reading them."""

    def fits(self) -> bool:
        """Do what there is to do before an update."""
        self._scaler.unscale_(self._optimizer)
        torch.nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        self._scaler.update()
        return True


def _alike(one: StageData, other: StageData) -> bool:
    """Tell whether two stages take the same."""
    return one.task is other.task and one.open["train"] is other.open["train"] and one.training == other.training
