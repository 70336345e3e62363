"""The contract of a strategy: what trains, and how.

Options are the dataclass fields of a strategy, each with a docstring; state is set in `prepare`. The core makes a fresh
instance for each trial and trains every stage of a sequence, for every strategy. The moments, in order:

    prepare → for each stage: [param_groups → optimizer → for each step: before_step → loss → after_backward
            → state (when the weights are the best so far, and for checkpoints) → load_state (when they are put back)]
            → end_stage (when another stage follows) → finish
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .card import OUTPUT_TYPES, OutputType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Parameter
    from torch.optim import Optimizer

    from .backbone import Backbone
    from .card import ModelCard
    from .encoded import Encoded
    from .learner import Learner
    from .loader import Loader
    from .meter import Trace
    from .protocol import Training
    from .task import Task

OpenSplit = Literal["train", "validation"]
"""The splits a strategy may see; the test split is never among them."""
_IN_TRAINING = ("optimizer", "loss", "before_step", "after_backward", "state", "fit")
"""The moments at which a strategy could keep something of its own."""


@dataclass(frozen=True)
class RateRange:
    """Where the best learning rate plausibly lies, in multiples of the rate that is published for the strategy on a backbone."""

    low: float
    """The least multiple, 1 at most."""
    high: float
    """The largest, 1 at least."""
    source: str
    """Who searched there, or found the best there."""


DECADE = RateRange(0.1, 10.0, "none is published: a decade each way")
"""What is searched where a strategy says nothing."""


@dataclass(frozen=True)
class Tunable:
    """Marks an option that is worth tuning: `rank: Annotated[int, Ge(1), Tunable((4, 8, 16))] = 8`."""

    values: tuple[Any, ...]
    """What is tried."""


@dataclass(frozen=True)
class About:
    """What a reader wants to know of a method before choosing it, in a line each."""

    paper: str
    """Where it was published."""
    equation: str
    """What it computes or minimises."""
    when: str
    """When to use it."""
    limits: str
    """What it cannot do."""


class Strategy(ABC):
    """A way to fine-tune."""

    about: ClassVar[About | None] = None
    """Paper, equation, when to use it, what it cannot do; shown in lists and pages."""

    lr_ratio: ClassVar[float] = 1.0
    """The strategy's published learning rate over that of full fine-tuning; `lr = "auto"` multiplies the backbone's
    published rate by it."""
    lr_range: ClassVar[RateRange | None] = DECADE
    """Where its best learning rate plausibly lies, in multiples of the rate that `lr` gives, and who says so; what `[tuning]` searches.
    None where nothing is trained, and so nothing can be tuned."""
    needs_sequence: ClassVar[bool] = False
    """Whether the strategy has a meaning only where tasks are learnt one after another."""
    needs_roles: ClassVar[frozenset[str]] = frozenset()
    """Module roles without which the strategy cannot be applied."""

    answers: ClassVar[frozenset[OutputType]] = frozenset(OUTPUT_TYPES)
    """What tasks may ask for; a task that asks for something else gives a row that says so."""

    starts_within: ClassVar[float | None] = None
    """How far the prepared model's logits may be from the backbone's, where the strategy promises to begin there."""
    features_stay: ClassVar[bool] = False
    """Whether the network below the head is, from `prepare` on, what it was, and computes without chance: what it gives of an example
    may then be computed once, for all steps and trials. The loss may look at the head's outputs only."""
    moves_statistics: ClassVar[bool] = False
    """Whether the running statistics of batch normalisations move while it trains."""

    @abstractmethod
    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Choose what trains: freeze, add modules. Called once, on the pretrained model."""

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone before anything is loaded; must not import torch.

        Raises:
            NotApplicable: the strategy cannot serve the backbone; the message is shown in the row.
            UserError: an option is beyond what the backbone has; the suite is not run.
        """
        from ..errors import NotApplicable

        missing = sorted(self.needs_roles - card.roles)
        if missing:
            message = f"{card.architecture} has no {' and no '.join(missing)} modules"
            raise NotApplicable(message)

    def lr(self, card: ModelCard) -> float:
        """Give the learning rate of `lr = "auto"`; must not import torch."""
        return card.full_lr * self.lr_ratio

    def param_groups(self, learner: Learner) -> list[dict[str, Any]]:
        """Group what trains for the optimizer: all of it, no weight decay on vectors (biases, norms).

        A group may carry `lr_scale`, read at each step, which multiplies its learning rate.
        """
        matrices: list[Parameter] = []
        vectors: list[Parameter] = []
        for _, parameter in learner.trainable():
            (matrices if parameter.ndim > 1 else vectors).append(parameter)
        return [group for group in ({"params": matrices}, {"params": vectors, "weight_decay": 0.0}) if group["params"]]

    def optimizer(self, learner: Learner, groups: list[dict[str, Any]]) -> Optimizer | None:
        """Make the optimizer where it is part of the strategy; None takes the suite's."""
        del learner, groups
        return None

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Give what is minimised, a scalar; by default the task's loss, which is logged apart in any case.

        `batch` holds the model's inputs, `labels`, and `rows`: the place of each example in the training split. Where examples are
        augmented, inputs differ from epoch to epoch, and labels may be shares of the classes, float32, shape [batch, classes].
        """
        del learner, batch, outputs
        return task_loss

    def before_step(self, learner: Learner, step: int) -> None:
        """Act before the forward pass of optimizer step `step` (from 0); all gradients are None."""

    def after_backward(self, learner: Learner, step: int) -> None:
        """Act on the gradients, before clipping and the update."""

    def state(self) -> Any:
        """Give what of the strategy's own moves in training beside parameters and buffers, so that it can be put back."""

    def load_state(self, state: Any) -> None:
        """Put back what `state` gave, after the weights of that step."""

    def resumable(self) -> bool:
        """Tell whether a training that was killed may go on from a checkpoint, in another process, after `prepare` there.

        It may where nothing moves in training but what the optimizer trains, buffers, what `state` gives, and what `before_step` does
        of the step's number alone: all of it is put back. By default where no moment of the training is the strategy's own; where one
        is, it is for the strategy to say. A training that may not begins anew.
        """
        return all(getattr(type(self), moment) is getattr(Strategy, moment) for moment in _IN_TRAINING)

    def begins_as(self, bench: Bench) -> Strategy | None:
        """Name a strategy whose training of the first of several tasks is this one's, bit by bit: it need not be done twice.

        What trains, its groups, the optimizer and every loss must be equal; `ftbench check` looks. By default there is none.
        """
        del bench
        return None

    def end_stage(self, learner: Learner, bench: Bench) -> None:
        """Look back on the stage just learnt; called when another stage follows."""

    def foresee_end_stage(self, learner: Learner, bench: Bench) -> None:
        """Keep as much as `end_stage` would, at most, without reading a value: called in its place where memory is predicted.

        By default what `end_stage` does.
        """
        self.end_stage(learner, bench)

    def export(self, learner: Learner, folder: Path) -> bool:
        """Write what was trained beside the backbone in a format of its own, before `finish`; False where there is none."""
        del learner, folder
        return False

    def finish(self, learner: Learner) -> None:
        """Leave the model as it will be used: merge, average."""

    def fit(self, learner: Learner, bench: Bench) -> None:
        """Train one stage; by default the shared loop."""
        bench.train(learner, self)


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
