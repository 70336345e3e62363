"""What a strategy may use, and no more: data of the stages, further learners, training, phases, shared work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from .backbone import Backbone
    from .encoded import Encoded
    from .learner import Learner
    from .loader import Loader
    from .meter import Trace
    from .protocol import Training
    from .strategy import Strategy
    from .task import Task

OpenSplit = Literal["train", "validation"]
"""The splits a strategy may see; the test split is never among them."""


class Bench(ABC):
    """The workbench of a strategy: ftbench hands one to it for each trial."""

    stage: int
    """Index of the current stage, from 0."""
    seed: int
    """The trial's seed."""
    device: torch.device
    """Device of the learners."""

    # -- the current stage ---------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def stages(self) -> int:
        """Number of tasks learnt one after another."""

    @property
    @abstractmethod
    def task(self) -> Task:
        """The current task."""

    @property
    @abstractmethod
    def training(self) -> Training:
        """The protocol of the current stage."""

    @property
    @abstractmethod
    def augmented(self) -> bool:
        """Whether training examples change from epoch to epoch; values cached by row would then be stale."""

    # -- data ----------------------------------------------------------------------------------------------------------

    @abstractmethod
    def encoded(self, split: OpenSplit = "train", stage: int | None = None, learner: Learner | None = None) -> Encoded:
        """Return a split of a stage, encoded for the trial's backbone or for `learner`; never augmented.

        Raises:
            ValueError: the split is neither train nor validation.
        """

    @abstractmethod
    def loader(
        self, split: OpenSplit = "train", stage: int | None = None, learner: Learner | None = None, **changes: Any
    ) -> Loader:
        """Return the batches of a split in the order that every strategy sees; `changes` replace fields of the protocol.

        The task's augmentations change the examples of the training split in the same way for every strategy and learner.
        """

    @abstractmethod
    def predict(self, learner: Learner, split: OpenSplit = "train") -> NDArray[np.float32]:
        """Compute a learner's logits on a split of the current stage in evaluation mode, shape [examples, outputs].

        The task must ask for one row of logits per example: a class, several classes, a number or a choice.
        """

    # -- learners and training -----------------------------------------------------------------------------------------

    @abstractmethod
    def load(self, backbone: Backbone | None = None) -> Learner:
        """Load a second learner with a new head for the current task: of the trial's backbone, or of another."""

    @abstractmethod
    def load_language_model(self) -> Learner:
        """Load the backbone's weights once more, with the head of its language model.

        Raises:
            NotApplicable: it has none, or the protocol cannot be followed with it.
        """

    @abstractmethod
    def train(self, learner: Learner, strategy: Strategy, *, loader: Loader | None = None) -> Trace:
        """Run the shared loop on the current stage, or on the batches of `loader`.

        A second learner is trained at the strategy's own rate. If the protocol depends on the validation split, so does
        every training on the stage's own task; a training on another `loader` makes all its steps and keeps the last
        weights. Dropout draws from a generator that is seeded here, so work done before does not change it.
        """

    @abstractmethod
    def teach(self, strategy: Strategy, backbone: Backbone | None = None) -> Learner:
        """Load a second learner and train it with `strategy` on the current stage, or read what another trial trained."""

    @abstractmethod
    def adopt(self, learner: Learner) -> None:
        """Make `learner` the one that is scored; ftbench does this for the learner it prepares."""

    @abstractmethod
    def strategy(self, use: str, **options: Any) -> Strategy:
        """Build another strategy, to be nested in this one."""

    # -- work shared between trials, phases, randomness ----------------------------------------------------------------

    @abstractmethod
    def cached(
        self, name: str, key: Any, make: Callable[[], Mapping[str, Tensor]], of: Learner | None = None
    ) -> Mapping[str, Tensor]:
        """Return tensors that other trials need as well: computed by the first, read from disk by the others.

        The cost of computing them is charged to every trial that uses them. Without a cache they are computed each time.
        Random numbers that `make` draws from the global generators do not affect what follows.

        Args:
            name: what they are, such as `fisher`.
            key: a JSON value that holds everything they depend on besides the trial's backbone, tasks, seeds, code and
                threads and the environment, which always count. The protocol and the strategy's options do not.
            make: computes them; they are on the CPU when they are returned from here.
            of: a learner on whose current weights they depend.
        """

    @abstractmethod
    def lesson(self, strategy: Strategy, backbone: Backbone | None = None) -> dict[str, Any]:
        """Return everything that decides what `strategy` makes of a second learner on the current stage, for use in a key.

        Empty if nothing is cached: a network known by its configuration alone has no weights to hash.
        """

    @abstractmethod
    def phase(self, name: str) -> AbstractContextManager[None]:
        """Charge the time spent inside to a phase of its own, such as `fisher` or `teacher`."""

    @abstractmethod
    def generator(self, purpose: str) -> np.random.Generator:
        """Return a random generator for `purpose`, seeded by the trial's seed."""
