"""The contract of a strategy: what trains and how, and the bench that ftbench hands to it.

Options are the dataclass fields of a strategy, each with a docstring; state is set in `prepare`. ftbench creates a new
instance for each trial and trains every stage of a sequence, for every strategy. The moments, in order:

    prepare → for each stage: [param_groups → optimizer → for each step: before_step → loss → after_backward → update
            → after_step → state (when the weights are the best so far, and for checkpoints) → load_state (when they are
            restored)]
            → end_stage (when another stage follows) → finish
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

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
_IN_TRAINING = ("optimizer", "loss", "before_step", "after_backward", "after_step", "state", "fit")
"""The moments in which a strategy could keep state of its own."""


@dataclass(frozen=True)
class RateRange:
    """Plausible range of the best learning rate, in multiples of the rate published for the strategy on a backbone."""

    low: float
    """Smallest multiple, at most 1."""
    high: float
    """Largest multiple, at least 1."""
    source: str
    """Who searched this range, or found the best rate in it."""


DECADE = RateRange(0.1, 10.0, "none is published: a decade each way")
"""The range searched for a strategy that names none."""


@dataclass(frozen=True)
class Tunable:
    """Marks an option that is worth tuning: `rank: Annotated[int, Ge(1), Tunable((4, 8, 16))] = 8`."""

    values: tuple[Any, ...]
    """The values to try."""


Family = Literal[
    "all weights",
    "low-rank & scaling",
    "adapters",
    "prompts & prefixes",
    "biases & norms",
    "head only",
    "other losses",
    "other",
]
FAMILIES: tuple[Family, ...] = get_args(Family)
"""Families of strategies, in the order in which pages list them."""


@dataclass(frozen=True)
class About:
    """What readers need to know about a method before choosing it, one line each."""

    paper: str
    """Where it was published."""
    equation: str
    """What it computes or minimises."""
    when: str
    """When to use it."""
    limits: str
    """What it cannot do."""
    family: Family = "other"
    """Family it belongs to; pages draw a family in one colour."""
    families: Mapping[str, Family] = field(default_factory=dict)
    """Value of an option → family, if the family depends on that option."""


class Strategy(ABC):
    """A fine-tuning method."""

    about: ClassVar[About | None] = None
    """Paper, equation, when to use it, what it cannot do; shown in lists and pages."""

    lr_ratio: ClassVar[float] = 1.0
    """The strategy's published learning rate over that of full fine-tuning; `lr = "auto"` multiplies the backbone's
    published rate by it."""
    lr_range: ClassVar[RateRange | None] = DECADE
    """Plausible range of its best learning rate, in multiples of the rate that `lr` returns, with its source;
    `[tuning]` searches it. None if the strategy trains nothing, so that there is nothing to tune."""
    needs_sequence: ClassVar[bool] = False
    """Whether the strategy is meaningful only for sequences of tasks."""
    needs_roles: ClassVar[frozenset[str]] = frozenset()
    """Module roles that the strategy requires."""

    answers: ClassVar[frozenset[OutputType]] = frozenset(OUTPUT_TYPES)
    """Supported output types; other tasks become rows marked *not applicable*."""

    starts_within: ClassVar[float | None] = None
    """Largest difference between the prepared model's logits and the backbone's, if the strategy promises one."""
    features_stay: ClassVar[bool] = False
    """Whether the network below the head is fixed after `prepare` and deterministic, so that its outputs can be
    computed once per example, for all steps and trials. The loss may then use the head's outputs only."""
    moves_statistics: ClassVar[bool] = False
    """Whether training updates the running statistics of batch normalisations."""

    @abstractmethod
    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Choose what trains: freeze parameters, add modules. Called once, on the pretrained model."""

    def check(self, card: ModelCard) -> None:
        """Check a backbone before anything is loaded; must not import torch.

        Raises:
            NotApplicable: the strategy does not support the backbone; the row shows the message.
            UserError: an option exceeds what the backbone has; the suite does not run.
        """
        from ..errors import NotApplicable

        missing = sorted(self.needs_roles - card.roles)
        if missing:
            message = f"{card.architecture} has no {' and no '.join(missing)} modules"
            raise NotApplicable(message)

    def lr(self, card: ModelCard) -> float:
        """Return the learning rate of `lr = "auto"`; must not import torch."""
        return card.full_lr * self.lr_ratio

    def param_groups(self, learner: Learner) -> list[dict[str, Any]]:
        """Return the optimizer's parameter groups: all that trains, no weight decay on vectors (biases, norms).

        A group may have `lr_scale`, read at each step, which multiplies its learning rate.
        """
        matrices: list[Parameter] = []
        vectors: list[Parameter] = []
        for _, parameter in learner.trainable():
            (matrices if parameter.ndim > 1 else vectors).append(parameter)
        return [group for group in ({"params": matrices}, {"params": vectors, "weight_decay": 0.0}) if group["params"]]

    def optimizer(self, learner: Learner, groups: list[dict[str, Any]]) -> Optimizer | None:
        """Return the optimizer if it is part of the strategy; None uses the suite's."""
        del learner, groups
        return None

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Return the scalar to minimise; by default the task's loss, which is logged separately in any case.

        `batch` has the model's inputs, `labels`, and `rows`: the index of each example in the training split. With
        augmentations, inputs differ from epoch to epoch, and labels may be class proportions, float32, shape
        [batch, classes].
        """
        del learner, batch, outputs
        return task_loss

    def before_step(self, learner: Learner, step: int) -> None:
        """Run before the forward pass of optimizer step `step` (from 0); all gradients are None."""

    def after_backward(self, learner: Learner, step: int) -> None:
        """Run on the gradients, before clipping and the update."""

    def after_step(self, learner: Learner, step: int) -> None:
        """Run after the optimizer's update, with the gradients that it used; not after a step that is skipped."""

    def state(self) -> Any:
        """Return the strategy's own training state besides parameters and buffers, so that it can be restored."""

    def load_state(self, state: Any) -> None:
        """Restore what `state` returned, after the weights of that step."""

    def resumable(self) -> bool:
        """Return whether a killed training can resume from a checkpoint, in another process, after `prepare` there.

        It can if training changes only what the optimizer trains, buffers, what `state` returns, and what `before_step`
        derives from the step's number: all of these are restored. By default it can if the strategy overrides no moment
        of the training; a strategy that overrides one decides itself. Otherwise a killed training restarts.
        """
        return all(getattr(type(self), moment) is getattr(Strategy, moment) for moment in _IN_TRAINING)

    def begins_as(self, bench: Bench) -> Strategy | None:
        """Return a strategy that trains the first of several tasks exactly as this one does, to train it only once.

        Trained parameters, groups, optimizer and every loss must be equal; `ftbench check` verifies it. Default: None.
        """
        del bench
        return None

    def end_stage(self, learner: Learner, bench: Bench) -> None:
        """Finish a stage, e.g. compute Fisher information; called if another stage follows."""

    def foresee_end_stage(self, learner: Learner, bench: Bench) -> None:
        """Allocate at most as much as `end_stage`, without reading values; called instead of it to predict memory.

        By default it calls `end_stage`.
        """
        self.end_stage(learner, bench)

    def export(self, learner: Learner, folder: Path) -> bool:
        """Write the trained parameters in the strategy's own format, before `finish`; return False if it has none."""
        del learner, folder
        return False

    def stored(self, learner: Learner, trained: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the tensors that rebuild the tuned model from the pretrained weights and the seed, before `finish`.

        By default they are all that trained. ftbench adds the moving statistics. With simulated training the tensors
        have no values.

        Args:
            learner: the trained model.
            trained: name → parameter of everything that trained, the heads of all tasks included.
        """
        del learner
        return trained

    def finish(self, learner: Learner) -> None:
        """Bring the model into the form in which it is used: merge, average."""

    def fit(self, learner: Learner, bench: Bench) -> None:
        """Train one stage; by default the shared loop."""
        bench.train(learner, self)


class Bench(ABC):
    """What a strategy may use, and no more: ftbench hands one to it for each trial."""

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
        """Return the batches of a split, in the same order for every strategy; `changes` replace protocol fields.

        Augmentations change the examples of the training split in the same way for every strategy and learner.
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
        """Load a second learner, trained with `strategy` on the current stage, here or by another trial."""

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

        The cost of computing them is charged to every trial that uses them. Without a cache they are recomputed.
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
        """Return everything that decides how `strategy` trains a second learner on the current stage, as a key.

        Empty if nothing is cached: a network known by its configuration alone has no weights to hash.
        """

    @abstractmethod
    def phase(self, name: str) -> AbstractContextManager[None]:
        """Charge the time spent inside to a phase of its own, such as `fisher` or `teacher`."""

    @abstractmethod
    def generator(self, purpose: str) -> np.random.Generator:
        """Return a random generator for `purpose`, seeded by the trial's seed."""
