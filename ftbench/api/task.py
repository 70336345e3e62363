"""The contract of a task: what is learnt, from which examples, and how predictions are scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from .encoded import Encoded, Labels, Ragged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from .card import InputSpec, OutputType
    from .learner import Learner
    from .measurement import Measurement
    from .splits import Example, Splits


@dataclass(frozen=True)
class Provenance:
    """Where data come from."""

    licence: str
    """SPDX identifier, or what is known."""
    source: str
    """Who made it, and which package or file carries it."""
    note: str = ""
    """Anything a reader of a table must know, such as `synthetic`."""


@dataclass(frozen=True)
class Scored:
    """What scoring a split gives."""

    measurements: tuple[Measurement, ...]
    """Metrics of the split."""
    predictions: tuple[Mapping[str, Any], ...]
    """One mapping per example: id, label, prediction and the task's own scores, as JSON values. An example's
    contribution to the primary score has the score's name, so that the contributions average to the score; `accuracy`
    and `exact_match` follow from label and prediction. For scores that are not means, see
    `ftbench.stats.pseudo_values`."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Counts, row = true class, column = predicted class; None where there are no classes."""


class Lesson(Protocol):
    """What the training loop needs of a task: batches, and what is minimised."""

    @property
    def unit(self) -> str:
        """What throughput counts."""

    def collate(self, encoded: Encoded, indices: Sequence[int]) -> dict[str, Tensor]:
        """Make a batch of the examples at `indices`."""

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean loss over the batch, a scalar."""

    def terms(self, batch: Mapping[str, Tensor]) -> int:
        """Count what the loss of a batch is the mean of, so that parts of a batch add up to the whole."""


class Task(ABC):
    """A data set with a question. Options are dataclass fields; every process creates its own instance."""

    modality: ClassVar[str]
    """`text`, `vision` or `speech`: which backbones it meets by default."""
    unit: ClassVar[str]
    """What throughput counts: `tokens`, `images`, `audio seconds`."""
    primary: ClassVar[str]
    """The metric that ranks strategies."""
    loss_unit: ClassVar[str] = "nat"
    """What the loss is in."""
    answer: ClassVar[OutputType] = "class"
    """What the model is asked for; see `ftbench.OUTPUT_TYPES`."""

    @classmethod
    def without_data(cls, classes: int | None = None) -> Mapping[str, Any]:
        """Return the options with which it can be outlined without data; none by default.

        Args:
            classes: number of classes, normally given by the data; None for the usual number.
        """
        del classes
        return {}

    def options_at(self, place: int) -> Mapping[str, Any]:
        """Return the options that depend on the seed, for the suite's seed number `place`, from 0; none by default.

        Strategies are still compared on the same splits: those of the same seed.
        """
        del place
        return {}

    @abstractmethod
    def splits(self, seed: int) -> Splits[Any]:
        """Make the splits; the same `seed` gives the same splits on every machine."""

    @abstractmethod
    def encode(self, examples: Sequence[Example[Any]], processor: Any) -> Encoded:
        """Turn examples into arrays with the backbone's processor."""

    def outline(self, reads: InputSpec, count: int) -> Encoded:
        """Return `count` examples of zeros in the format of `encode`, to predict costs without data.

        The default covers one class, several classes or a number per example; other tasks override it.
        """
        if len(reads.shape) == 1 and reads.name == "input_ids":
            inputs: Labels = Ragged.of([np.zeros(reads.shape, np.int64)] * count)
        else:
            inputs = np.zeros((count, *reads.shape), np.int64 if reads.name == "input_ids" else np.float32)
        shape = (count, self.outputs) if self.answer == "labels" else (count,)
        labels = np.zeros(shape, np.float32 if self.answer == "number" else np.int64)
        return Encoded({reads.name: inputs}, labels, tuple(map(str, range(count))), np.full(count, reads.length))

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels, none where there are no classes; must not import torch."""

    @abstractmethod
    def fingerprint(self) -> Mapping[str, Any]:
        """Return what decides the examples (file hashes, versions), as JSON values; must not import torch.

        Raises:
            UserError: a file named by the options is missing or unreadable.
        """

    @abstractmethod
    def provenance(self) -> Provenance:
        """Return where the data come from; must not import torch."""

    @abstractmethod
    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean loss over the batch, a scalar."""

    @abstractmethod
    def score(self, answers: Sequence[NDArray[Any]], examples: Encoded) -> Scored:
        """Score what `answers` gave for one split, one array an example."""

    def metric_names(self) -> tuple[str, ...]:
        """Return the names of the scores of `score` that have a direction, without reading data.

        They are used to check the `metric` of a suite before the first trial, and are not part of a trial's identity.
        Empty, the default, if they are not known: a wrong name then fails when the first split is scored.
        """
        return ()

    def groups(self, ids: Sequence[str]) -> Sequence[str | int | None] | None:
        """Return each example's group, such as a speaker or a document; uncertainty then counts groups.

        None, the default, if every example is its own group; an example without a group is None.
        """
        del ids
        return None

    def examine_training(self, training: Encoded, learner: Learner) -> None:
        """Take what the scores must mention of the training split, which is encoded; by default nothing."""

    @property
    def outputs(self) -> int:
        """How many outputs the head has: by default one for each class."""
        return len(self.classes)

    def write_processor(self, learner: Learner, folder: Path) -> None:
        """Write what users of the exported model need besides its weights: by default the backbone's processor."""
        learner.processor.save_pretrained(folder)

    def terms(self, batch: Mapping[str, Tensor]) -> int:
        """Count what the loss of a batch is the mean of: by default its examples."""
        return len(batch["rows"])

    def answers(self, outputs: Any, batch: Mapping[str, Tensor]) -> list[NDArray[Any]]:
        """Return what scoring needs of each example of a batch: by default its logits, [classes]."""
        del batch
        return list(outputs.logits.float().cpu().numpy())

    def collate(self, encoded: Encoded, indices: Sequence[int]) -> dict[str, Tensor]:
        """Make a batch of the examples at `indices`; unequal rows are padded on the right and masked."""
        import torch

        batch: dict[str, Tensor] = {}
        encoded, indices = encoded.at(indices)
        rows = list(indices)
        for name, column in encoded.columns.items():
            if isinstance(column, Ragged):
                values, real = column.take(rows)
                batch[name] = torch.from_numpy(values)
                batch["attention_mask"] = torch.from_numpy(real.astype("int64"))
            else:
                batch[name] = torch.from_numpy(column[rows])
        labels = encoded.labels.take(rows)[0] if isinstance(encoded.labels, Ragged) else encoded.labels[rows]
        batch["labels"] = torch.from_numpy(labels)
        return batch
