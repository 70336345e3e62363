"""A strategy's training gone through on a discarded copy, for as many steps as whoever measures them wants."""

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
    """A bench whose last training is as long as is asked for, all others two steps.

    Args:
        grounds: the stages.
        backbone: what is trained.
        catalog: where nested strategies are found.
        take: is handed the steps of each training of the last stage's learner.
        seed: decides what is drawn.
        device: where tensors lie.
    """

    def __init__(
        self, grounds: Sequence[StageData], backbone: Backbone, catalog: Catalog, take: Take, *, seed: int, device: str
    ) -> None:
        super().__init__(grounds, backbone, catalog, fake=False, target="cpu", sizes=None, seed=seed, device=device)
        self._grounds = [
            replace(mine, training=replace(mine.training, compile=own.training.compile))
            for mine, own in zip(self._grounds, grounds, strict=True)
        ]
        self._take = take

    @contextmanager
    def watched(self, learner: Learner) -> Iterator[None]:
        """Look at no tensor: that takes time."""
        del learner
        yield

    def train(self, learner: Learner, strategy: Strategy, *, loader: Loader | None = None) -> Trace:
        """Hand the steps of the last stage's training over; make two of any other."""
        main = learner is self._main
        if loader is None:
            loader = self.loader() if main else self.loader(learner=learner)
        loop = Loop(learner, loader, strategy, self._grounds[self.stage].label)
        # As on a GPU, where a look would wait; and nothing is made of the losses.
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
    """Make step `number` of a training again and again, on all its batches in their order."""
    for epoch in count():
        order = loader.order(epoch)
        for place in range(loader.per_epoch):
            begun = perf_counter()
            rows = order[place * loader.training.batch_size : (place + 1) * loader.training.batch_size]
            portions = loader.portions(rows, epoch)
            waited = perf_counter() - begun
            loop.step(number, portions)
            loop.pending.clear()
            yield Step(sum(portion.units for portion in portions), sum(portion.padded for portion in portions), waited)
