"""Experience replay: train on a small memory of earlier tasks too (Chaudhry et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge
from ftbench import About, RateRange, Strategy

from .full import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from ftbench import Bench, Encoded, Learner, Task
    from torch import Tensor


@dataclass(frozen=True)
class Remembered:
    """Stored examples of one task."""

    label: str
    """The task's label."""
    task: Task
    encoded: Encoded
    """Its training split."""
    rows: tuple[int, ...]
    """The stored examples."""


@dataclass
class Replay(Strategy):
    """Train each step on one batch of the new task and one of the memory, averaging both losses."""

    about: ClassVar[About] = About(
        paper="Chaudhry et al. 2019, arXiv:1902.10486",
        equation="(ℓ(new batch) + ℓ(batch of memory)) / 2",
        when="Tasks arrive one after another and some old data may be kept.",
        limits="Only useful in sequences. Doubles the cost of a step.",
        family="other losses",
    )

    lr_range: ClassVar[RateRange | None] = WHOLE
    needs_sequence: ClassVar[bool] = True
    starts_within: ClassVar[float | None] = 0.0
    moves_statistics: ClassVar[bool] = True

    memory: Annotated[int, Ge(1)] = 200
    """Number of training examples stored over all earlier tasks."""
    sampling: Literal["balanced", "reservoir"] = "balanced"
    """`balanced`: the same number per class. `reservoir`: each example is stored with equal probability."""

    _memory: list[Remembered] = field(init=False, repr=False, default_factory=list)
    _generator: np.random.Generator = field(init=False, repr=False)
    _batch_size: int = field(init=False, repr=False, default=1)
    _device: Any = field(init=False, repr=False, default=None)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Unfreeze everything, like full fine-tuning."""
        from .full import train_everything

        train_everything(learner, freeze_feature_encoder=True)
        self._generator = bench.generator("replay")
        self._batch_size, self._device = bench.training.batch_size, bench.device

    def param_groups(self, learner: Learner) -> list[dict[str, Any]]:
        """Train the heads of the remembered tasks too, since the network below them changes."""
        heads = [p for old in self._memory for module in learner.heads[old.label].values() for p in module.parameters()]
        matrices, vectors = [p for p in heads if p.ndim > 1], [p for p in heads if p.ndim <= 1]
        groups = super().param_groups(learner)
        if matrices:
            groups.append({"params": matrices})
        if vectors:
            groups.append({"params": vectors, "weight_decay": 0.0})
        return groups

    def begins_as(self, bench: Bench) -> Strategy:
        """Return full fine-tuning: there are no earlier tasks yet."""
        return bench.strategy("full")

    def end_stage(self, learner: Learner, bench: Bench) -> None:
        """Store examples of the finished stage and drop some of the earlier ones, so that the memory keeps its size."""
        share = self.memory // (len(self._memory) + 1)
        encoded = bench.encoded()
        kept = choose(_classes(encoded), share, self.sampling, self._generator)
        self._memory = [Remembered(old.label, old.task, old.encoded, self._fewer(old, share)) for old in self._memory]
        self._memory.append(Remembered(learner.active, bench.task, encoded, kept))

    def _fewer(self, old: Remembered, share: int) -> tuple[int, ...]:
        if len(old.rows) <= share:
            return old.rows
        places = choose(_classes(old.encoded)[list(old.rows)], share, self.sampling, self._generator)
        return tuple(old.rows[place] for place in places)

    def resumable(self) -> bool:
        """Return True: its generator is in the state, and the memory is filled again at the end of each stage."""
        return True

    def state(self) -> Any:
        """Return the state of the generator."""
        return self._generator.bit_generator.state

    def load_state(self, state: Any) -> None:
        """Restore the state of the generator."""
        self._generator.bit_generator.state = state

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Add a batch of one earlier task, drawn for each step, predicted by that task's own head."""
        if not self._memory:
            return task_loss
        remembered = self._memory[int(self._generator.integers(len(self._memory)))]
        drawn = self._generator.choice(
            len(remembered.rows), self._batch_size, replace=len(remembered.rows) < self._batch_size
        )
        rows = [remembered.rows[place] for place in drawn]
        old = {
            name: tensor.to(self._device) for name, tensor in remembered.task.collate(remembered.encoded, rows).items()
        }
        label, task = learner.active, learner.task
        assert task is not None
        learner.activate(remembered.label, remembered.task)
        old_loss = remembered.task.loss(learner.forward(old), old)
        learner.activate(label, task)
        return (task_loss + old_loss) / 2


def _classes(encoded: Encoded) -> np.ndarray[Any, Any]:
    """Return the class of each example; a single class for other output types."""
    import numpy as np

    labels = encoded.labels
    whole = isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind == "i"
    return np.asarray(labels) if whole else np.zeros(len(encoded), np.int64)


def choose(labels: np.ndarray[Any, Any], count: int, sampling: str, generator: np.random.Generator) -> tuple[int, ...]:
    """Choose which examples to keep.

    Args:
        labels: class of each example in the order seen, shape [examples].
        count: maximum number to keep.
        sampling: `balanced` or `reservoir` (Vitter 1985, algorithm R).
        generator: source of randomness.

    Returns:
        Indices into `labels`, sorted.
    """
    import numpy as np

    if sampling == "reservoir":
        kept = list(range(min(count, len(labels))))
        for seen in range(count, len(labels)):
            place = int(generator.integers(seen + 1))
            if place < count:
                kept[place] = seen
        return tuple(sorted(kept))
    by_class = [generator.permutation(np.flatnonzero(labels == label)).tolist() for label in np.unique(labels)]
    found: list[int] = []
    while len(found) < min(count, len(labels)):
        for members in by_class:
            if members and len(found) < count:
                found.append(members.pop())
    return tuple(sorted(found))
