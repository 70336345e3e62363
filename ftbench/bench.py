"""What a strategy may use, and no more: training data of the stages, second learners, phases, generators."""

from __future__ import annotations

from contextlib import AbstractContextManager  # noqa: TC003 - part of the public signatures
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .loading import Loader
from .seeding import seed_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from .backbone import Backbone, Learner
    from .catalog import Catalog
    from .encoded import Encoded
    from .meter import Trace, Watch
    from .phases import Phases
    from .strategy import Strategy
    from .suite import Training
    from .task import Task

OpenSplit = Literal["train", "validation"]


@dataclass
class Ground:
    """One stage as the core holds it."""

    label: str
    """The task's label."""
    task: Task
    training: Training
    """The protocol, its learning rate resolved for the trial's strategy."""
    open: Mapping[str, Encoded]
    """The splits a strategy may see: train and validation."""


class Bench:
    """Handed to a strategy; one per trial."""

    def __init__(
        self,
        grounds: list[Ground],
        backbone: Backbone,
        catalog: Catalog,
        phases: Phases,
        watch: Watch,
        *,
        seed: int,
        device: torch.device,
        after_step: Callable[[Bench, Learner, int, Trace], None],
    ) -> None:
        self.stage = 0
        """Number of the stage at hand, from 0."""
        self.seed = seed
        """The trial's seed."""
        self.device = device
        """Where learners live."""
        self._grounds, self._backbone, self._catalog = grounds, backbone, catalog
        self._phases, self._watch, self._after_step = phases, watch, after_step
        self._main: Learner | None = None

    @property
    def stages(self) -> int:
        """How many tasks are learnt one after another."""
        return len(self._grounds)

    @property
    def task(self) -> Task:
        """The task at hand."""
        return self._grounds[self.stage].task

    @property
    def training(self) -> Training:
        """The protocol of the stage at hand."""
        return self._grounds[self.stage].training

    def encoded(self, split: OpenSplit = "train", stage: int | None = None) -> Encoded:
        """Give a split of a stage; a test split is never given.

        Raises:
            ValueError: the split is not train or validation.
        """
        ground = self._grounds[self.stage if stage is None else stage]
        if split not in ground.open:
            message = f"a strategy sees {' and '.join(sorted(ground.open))}, not {split!r}"
            raise ValueError(message)
        return ground.open[split]

    def loader(self, split: OpenSplit = "train", stage: int | None = None, **changes: Any) -> Loader:
        """Give the batches of a split, in the order every strategy sees; `changes` replace fields of the protocol."""
        ground = self._grounds[self.stage if stage is None else stage]
        training = replace(ground.training, **changes)
        seed = int(np.random.SeedSequence([self.seed, self._grounds.index(ground)]).generate_state(1)[0])
        return Loader(self.encoded(split, stage), ground.task, training, seed=seed, device=self.device)

    def load(self) -> Learner:
        """Load the backbone once more, under a fresh head for the task at hand."""
        seed_all(self.seed, self.stage, 1)
        ground = self._grounds[self.stage]
        learner = self._backbone.load(len(ground.task.classes))
        learner.model.to(self.device)
        learner.adopt_head(ground.label, learner)
        learner.activate(ground.label, ground.task)
        return learner

    def train(self, learner: Learner, strategy: Strategy, *, lr: float | None = None) -> Trace:
        """Run the shared loop on the stage at hand; a second learner is trained at the strategy's own rate.

        Dropout draws from a generator seeded here, so that work done before does not change it.
        """
        from .training import fit

        main = learner is self._main
        loader = self.loader() if main else self.loader(lr=lr or strategy.lr(learner.card))
        seed_all(self.seed, self.stage, 2)
        after_step = (lambda step, trace: self._after_step(self, learner, step, trace)) if main else _nothing
        trace = fit(learner, loader, strategy, after_step, self._grounds[self.stage].label)
        if main:
            self._watch.traces.append(trace)
        return trace

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Charge what happens inside to a phase of its own, such as `fisher` or `teacher`."""
        return self._phases.phase(name)

    def strategy(self, use: str, **options: Any) -> Strategy:
        """Make another strategy, to be nested in this one."""
        built: Strategy = self._catalog.build("strategies", use, options)
        return built

    def generator(self, purpose: str) -> np.random.Generator:
        """Give a random generator for `purpose`, from the trial's seed."""
        return np.random.default_rng([self.seed, self.stage, *purpose.encode()])

    def adopt(self, learner: Learner) -> None:
        """Make `learner` the one that is scored; the core does this for the learner it prepares."""
        self._main = learner


def _nothing(step: int, trace: Trace) -> None:
    del step, trace
