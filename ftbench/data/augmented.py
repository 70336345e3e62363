"""A training split changed at random: what an example becomes depends on seed, epoch and example, on nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.augmentation import FeatureAugmentation, InputAugmentation, Item, MixingAugmentation
from ..api.encoded import Encoded, Ragged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..api.augmentation import Augmentable, Augmentation
    from ..api.splits import Example


Drawn = tuple["Augmentation", np.random.Generator]
"""An augmentation that changes an example now, and the generator of its draws."""


class Augmented:
    """The training split of a task, its examples changed as an epoch has it.

    What is mixed into an example is changed as that other example is itself in the epoch, but not mixed once more.
    """

    def __init__(self, task: Augmentable, examples: Sequence[Example[Any]], encoded: Encoded, processor: Any) -> None:
        """Hold what is needed to encode anew.

        Args:
            task: encodes, and names the augmentations.
            examples: the training examples, in the order of the rows of `encoded`.
            encoded: the training split as it is; what no input augmentation changes is taken from it.
            processor: what the task encodes with.
        """
        self.task, self.encoded, self.processor = task, encoded, processor
        self._examples = examples
        self._mixes = any(isinstance(augmentation, MixingAugmentation) for augmentation in task.augment)

    def take(self, rows: Iterable[int], *, seed: int, epoch: int) -> Encoded:
        """Give the examples at `rows`, in their order, as they are in an epoch.

        Where examples are mixed, all labels are shares of the classes, float32, shape [examples, classes].
        """
        wanted = [int(row) for row in rows]
        draws = {row: self._drawn(row, seed, epoch) for row in dict.fromkeys(wanted)}
        mixing = {
            row: [
                (one, int(rng.integers(len(self.encoded))), rng)
                for one, rng in found
                if isinstance(one, MixingAugmentation)
            ]
            for row, found in draws.items()
        }
        for other in [other for found in mixing.values() for _, other, _ in found]:
            if other not in draws:
                draws[other] = self._drawn(other, seed, epoch)
        parts = self._encoded(draws)
        items = {row: self._item(part, place, draws[row]) for part, rows in parts for place, row in enumerate(rows)}
        mixed = {row: self._mixture(items, row, found) for row, found in mixing.items()}
        return _joined([mixed[row] for row in wanted], parts[0][0], tuple(self.encoded.ids[row] for row in wanted))

    def _drawn(self, row: int, seed: int, epoch: int) -> list[Drawn]:
        """Give the augmentations that change an example in an epoch, each with a generator of its own."""
        found: list[Drawn] = []
        for place, augmentation in enumerate(self.task.augment, 1):
            # From 1: numpy takes [seed, epoch] and [seed, epoch, 0, 0] for the same seed, and the former is the order's.
            rng = np.random.default_rng([seed, epoch, row, place])
            if rng.random() < augmentation.probability:
                found.append((augmentation, rng))
        return found

    def _encoded(self, draws: Mapping[int, list[Drawn]]) -> list[tuple[Encoded, list[int]]]:
        """Encode anew the examples whose input is changed, and take the others as they are; gives both with their rows."""
        changes = {
            row: [(one, rng) for one, rng in found if isinstance(one, InputAugmentation)]
            for row, found in draws.items()
        }
        anew, kept = [row for row in draws if changes[row]], [row for row in draws if not changes[row]]
        parts = [(self.encoded.take(kept), kept)] if kept else []
        if anew:
            examples = [self._examples[row] for row in anew]
            inputs = self.task.raw_inputs(examples, self.processor)
            for place, row in enumerate(anew):
                for augmentation, rng in changes[row]:
                    inputs[place] = augmentation.change(inputs[place], rng)
            parts.append((self.task.encode_inputs(inputs, examples, self.processor), anew))
        return parts

    def _item(self, part: Encoded, place: int, drawn: list[Drawn]) -> Item:
        """Take one example out of an encoding, its features changed."""
        features: Mapping[str, NDArray[Any]] = {name: column[place] for name, column in part.columns.items()}
        for augmentation, rng in drawn:
            if isinstance(augmentation, FeatureAugmentation):
                features = augmentation.change_features(features, rng)
        label: Any = part.labels[place]
        return Item(features, self._shares(label) if self._mixes else label, float(part.units[place]))

    def _mixture(
        self, items: Mapping[int, Item], row: int, mixing: list[tuple[MixingAugmentation, int, np.random.Generator]]
    ) -> Item:
        mixed = items[row]
        for augmentation, other, rng in mixing:
            mixed = augmentation.mix(mixed, items[other], rng)
        return mixed

    def _shares(self, label: Any) -> NDArray[np.float32]:
        """Give a label as shares of the classes."""
        if np.ndim(label):
            return np.asarray(label, np.float32)
        shares = np.zeros(self.task.outputs, np.float32)
        shares[int(label)] = 1
        return shares


def _joined(items: Sequence[Item], like: Encoded, ids: tuple[str, ...]) -> Encoded:
    """Put examples into one encoding, each column of the kind it has in `like`."""
    columns = {name: _column([item.features[name] for item in items], column) for name, column in like.columns.items()}
    labels = _column([item.label for item in items], like.labels)
    return Encoded(columns, labels, ids, np.array([item.units for item in items]))


def _column(cells: Sequence[Any], like: NDArray[Any] | Ragged) -> Any:
    return Ragged.of(cells, like.values.dtype.type, like.padding) if isinstance(like, Ragged) else np.stack(cells)
