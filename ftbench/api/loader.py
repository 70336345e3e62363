"""Batches of a split, in an order drawn from the seed alone, so that it is the same for every strategy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from .encoded import Encoded
    from .protocol import Training
    from .task import Lesson


POOL = 50
"""Batches whose examples are sorted together when grouping by length: enough for little padding, few enough to stay
random."""


@dataclass(frozen=True)
class MicroBatch:
    """A micro-batch: what one forward pass sees."""

    batch: dict[str, Tensor]
    """Model inputs, `labels`, and `rows`, the place of each example in its split; on the device."""
    share: float
    """Its examples (or what else the task's loss is a mean of) over those of the whole optimizer step."""
    units: float
    """Real units in it; padding is not counted."""
    padded: float
    """Units of the padded batch, by the attention mask; equal to `units` without one."""


def grouped(
    drawn: NDArray[np.int64], lengths: NDArray[np.int64], batch_size: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Order examples so that those of a batch are of like length.

    Args:
        drawn: examples in the order drawn, shape [examples].
        lengths: of each example, by its row, shape [examples].
        batch_size: examples of a batch; what is over makes a batch of its own, the last.
        generator: draws the order of the batches.
    """
    whole = len(drawn) // batch_size * batch_size
    pools = np.split(drawn[:whole], range(POOL * batch_size, whole, POOL * batch_size))
    batches = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")].reshape(-1, batch_size) for pool in pools])
    return np.concatenate([batches[generator.permutation(len(batches))].reshape(-1), drawn[whole:]])


class ChangingExamples(Protocol):
    """The examples of a training split as augmentations change them from epoch to epoch."""

    def take(self, rows: Iterable[int], *, seed: int, epoch: int) -> Encoded:
        """Return the examples at `rows`, in their order, as they are in an epoch."""


class Loader:
    """Batches of one split of one task, epoch after epoch; iterating again yields the same batches.

    With `augmented`, its examples are those of `encoded` as augmented in each epoch.
    """

    def __init__(
        self,
        encoded: Encoded,
        task: Lesson,
        training: Training,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        augmented: ChangingExamples | None = None,
    ) -> None:
        self.encoded, self.task, self.training = encoded, task, training
        self.seed, self.device, self.augmented = seed, device, augmented
        self.per_epoch = -(-len(encoded) // training.batch_size)
        self.steps = training.steps or self.per_epoch * (training.epochs or 1)
        self._taken = hashlib.sha256()

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order of the examples in an epoch, shape [examples]."""
        generator = np.random.default_rng([self.seed, epoch])
        drawn = generator.permutation(len(self.encoded))
        return drawn if self._lengths is None else grouped(drawn, self._lengths, self.training.batch_size, generator)

    @cached_property
    def _lengths(self) -> NDArray[np.int64] | None:
        return self.encoded.lengths() if self.training.group_by_length else None

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[MicroBatch]]:
        return self.after(0)

    def after(self, made: int) -> Iterator[list[MicroBatch]]:
        """Iterate over the steps that follow the first `made` ones."""
        order = self.order(made // self.per_epoch)
        self._taken = hashlib.sha256()
        for step in range(made, self.steps):
            epoch, place = divmod(step, self.per_epoch)
            if place == 0 and epoch:
                order = self.order(epoch)
            rows = order[place * self.training.batch_size : (place + 1) * self.training.batch_size]
            yield self.micro_batches(rows, epoch)

    def check_taken(self, made: int, done: int) -> None:
        """Check that the examples taken since step `made`, up to step `done`, are those that `order_hash` hashes.

        Raises:
            RuntimeError: they are others, or in another order; the hash would be wrong.
        """
        expected, size = hashlib.sha256(), self.training.batch_size
        for epoch in range(made // self.per_epoch, -(-done // self.per_epoch)):
            first = epoch * self.per_epoch
            places = max(made - first, 0) * size, min(done - first, self.per_epoch) * size
            expected.update(self.order(epoch)[slice(*places)].tobytes())
        if done > made and self._taken.digest() != expected.digest():
            message = f"the examples of steps {made} to {done} were not taken in their order"
            raise RuntimeError(message)

    def micro_batches(self, rows: NDArray[np.int64], epoch: int) -> list[MicroBatch]:
        """Build the micro-batches of the optimizer step on the examples at `rows`."""
        batches = [self.batch(part, epoch) for part in np.array_split(rows, self.training.accumulation) if len(part)]
        terms = [self.task.terms(batch) for batch, *_ in batches]
        total = max(1, sum(terms))
        return [MicroBatch(batch, own / total, *units) for own, (batch, *units) in zip(terms, batches, strict=True)]

    def batch(self, rows: NDArray[np.int64], epoch: int) -> tuple[dict[str, Tensor], float, float]:
        """Build the batch of the examples at `rows` in an epoch; return it, its real and its padded units."""
        import torch

        self._taken.update(rows.tobytes())
        if self.augmented is None:
            batch, units = self.task.collate(self.encoded, rows.tolist()), self.encoded.units_of(rows)
        else:
            changed = self.augmented.take(rows, seed=self.seed, epoch=epoch)
            batch, units = self.task.collate(changed, range(len(rows))), changed.units
        batch["rows"] = torch.from_numpy(rows)
        real, mask = float(units.sum()), batch.get("attention_mask")
        padded = real if mask is None else real * mask.numel() / max(1, int(mask.sum()))
        if str(self.device) != "cpu":
            batch = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
        return batch, real, padded

    def order_hash(self) -> str:
        """Hash the ids in the order in which they are seen."""
        digest = hashlib.sha256()
        for epoch in range(-(-self.steps // self.per_epoch)):
            for row in self.order(epoch):
                digest.update(self.encoded.ids[row].encode() + b"\0")
        return digest.hexdigest()[:16]
