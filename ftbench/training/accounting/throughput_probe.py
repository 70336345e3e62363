"""Train a discarded copy with a strategy for any number of steps, so that a meter can time them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING

from ...api.finished_trial import Step
from ..loop import Loop
from .simulated_training import SimulatedTraining

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...api.backbone import Backbone
    from ...api.catalog import Catalog
    from ...api.finished_trial import Take
    from ...api.learner import Learner
    from ...api.loader import Loader
    from ...api.meter import Trace
    from ...api.strategy import Strategy
    from ..bench import StageData


class ThroughputProbe(SimulatedTraining):
    """A bench whose last training is as long as the caller wants; all others have two steps.

    Args:
        stage_data: the stages.
        backbone: the backbone.
        catalog: builds nested strategies.
        take: called with the steps of each training of the main learner in the last stage.
        seed: seed of the random numbers.
        device: device of the tensors.
    """

    def __init__(
        self,
        stage_data: Sequence[StageData],
        backbone: Backbone,
        catalog: Catalog,
        take: Take,
        *,
        seed: int,
        device: str,
    ) -> None:
        super().__init__(stage_data, backbone, catalog, fake=False, target="cpu", sizes=None, seed=seed, device=device)
        self._stage_data = [
            replace(mine, training=replace(mine.training, compile=own.training.compile))
            for mine, own in zip(self._stage_data, stage_data, strict=True)
        ]
        self._take = take

    @contextmanager
    def tracked(self, learner: Learner) -> Iterator[None]:
        """Track no tensors, because that takes time."""
        del learner
        yield

    def train(self, learner: Learner, strategy: Strategy, *, loader: Loader | None = None) -> Trace:
        """Pass the steps of the last stage's training to `take`; make two steps of any other training."""
        main = learner is self._main
        if loader is None:
            loader = self.loader() if main else self.loader(learner=learner)
        loop = Loop(learner, loader, strategy, self._stage_data[self.stage].label)
        # As on a GPU, the loop then reads no losses, because that would wait for the device; they are not needed here.
        loop.on_gpu = True
        learner.train()
        last = loader.steps - 1
        for step in range(last):
            strategy.before_step(learner, step)
        steps = _steps(loop, loader, last)
        if main and self.stage == self.stages - 1:
            self._take(steps)
        else:
            for _ in range(2):
                next(steps)
        return loop.trace


def _steps(loop: Loop, loader: Loader, number: int) -> Iterator[Step]:
    """Repeat step `number` of a training without end, on all its batches in their order."""
    for epoch in count():
        order = loader.order(epoch)
        for batch in range(loader.per_epoch):
            begun = perf_counter()
            rows = order[batch * loader.training.batch_size : (batch + 1) * loader.training.batch_size]
            micro_batches = loader.micro_batches(rows, epoch)
            waited = perf_counter() - begun
            loop.step(number, micro_batches)
            loop.pending.clear()
            yield Step(
                sum(micro_batch.units for micro_batch in micro_batches),
                sum(micro_batch.padded for micro_batch in micro_batches),
                waited,
            )
