"""Augmented training examples, which depend only on the seed, the epoch and the example."""

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
"""An augmentation to apply to an example, and its random generator."""


class Augmented:
    """The training split of a task with the augmentations of an epoch.

    An example that is mixed into another has its own augmentations of the epoch, but is not mixed itself.
    """

    def __init__(self, task: Augmentable, examples: Sequence[Example[Any]], encoded: Encoded, processor: Any) -> None:
        """Create the augmented split.

        Args:
            task: encodes examples and defines the augmentations.
            examples: the training examples, in the order of the rows of `encoded`.
            encoded: the training split without augmentation, used for examples whose input does not change.
            processor: the processor with which the task encodes.
        """
        self.task, self.encoded, self.processor = task, encoded, processor
        self._examples = examples
        self._mixes = any(isinstance(augmentation, MixingAugmentation) for augmentation in task.augment)

    def take(self, rows: Iterable[int], *, seed: int, epoch: int) -> Encoded:
        """Return the examples at `rows`, in their order, with the augmentations of an epoch.

        If the task mixes examples, all labels are shares of the classes, float32, shape [examples, classes].
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
        items = {row: self._item(part, index, draws[row]) for part, rows in parts for index, row in enumerate(rows)}
        mixed = {row: self._mixture(items, row, found) for row, found in mixing.items()}
        return _joined([mixed[row] for row in wanted], parts[0][0], tuple(self.encoded.ids[row] for row in wanted))

    def _drawn(self, row: int, seed: int, epoch: int) -> list[Drawn]:
        """Return the augmentations of an example in an epoch, each with its own generator."""
        found: list[Drawn] = []
        for index, augmentation in enumerate(self.task.augment, 1):
            # From 1: for numpy [seed, epoch] and [seed, epoch, 0, 0] are equal, and the former seeds the order.
            rng = np.random.default_rng([seed, epoch, row, index])
            if rng.random() < augmentation.probability:
                found.append((augmentation, rng))
        return found

    def _encoded(self, draws: Mapping[int, list[Drawn]]) -> list[tuple[Encoded, list[int]]]:
        """Encode the examples whose input changes and take the others from `encoded`; return both with their rows."""
        changes = {
            row: [(one, rng) for one, rng in found if isinstance(one, InputAugmentation)]
            for row, found in draws.items()
        }
        changed, kept = [row for row in draws if changes[row]], [row for row in draws if not changes[row]]
        parts = [(self.encoded.take(kept), kept)] if kept else []
        if changed:
            examples = [self._examples[row] for row in changed]
            inputs = self.task.raw_inputs(examples, self.processor)
            for index, row in enumerate(changed):
                for augmentation, rng in changes[row]:
                    inputs[index] = augmentation.change(inputs[index], rng)
            parts.append((self.task.encode_inputs(inputs, examples, self.processor), changed))
        return parts

    def _item(self, part: Encoded, index: int, drawn: list[Drawn]) -> Item:
        """Return one example of an encoding with its feature augmentations."""
        features: Mapping[str, NDArray[Any]] = {name: column[index] for name, column in part.columns.items()}
        for augmentation, rng in drawn:
            if isinstance(augmentation, FeatureAugmentation):
                features = augmentation.change_features(features, rng)
        label: Any = part.labels[index]
        return Item(features, self._shares(label) if self._mixes else label, float(part.units[index]))

    def _mixture(
        self, items: Mapping[int, Item], row: int, mixing: list[tuple[MixingAugmentation, int, np.random.Generator]]
    ) -> Item:
        mixed = items[row]
        for augmentation, other, rng in mixing:
            mixed = augmentation.mix(mixed, items[other], rng)
        return mixed

    def _shares(self, label: Any) -> NDArray[np.float32]:
        """Return a label as shares of the classes, float32, shape [classes]."""
        if np.ndim(label):
            return np.asarray(label, np.float32)
        shares = np.zeros(self.task.outputs, np.float32)
        shares[int(label)] = 1
        return shares


def _joined(items: Sequence[Item], like: Encoded, ids: tuple[str, ...]) -> Encoded:
    """Join examples into one encoding, with the column types of `like`."""
    columns = {name: _column([item.features[name] for item in items], column) for name, column in like.columns.items()}
    labels = _column([item.label for item in items], like.labels)
    return Encoded(columns, labels, ids, np.array([item.units for item in items]))


def _column(cells: Sequence[Any], like: NDArray[Any] | Ragged) -> Any:
    return Ragged.of(cells, like.values.dtype.type, like.padding) if isinstance(like, Ragged) else np.stack(cells)
