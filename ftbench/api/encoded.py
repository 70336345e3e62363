"""A split as arrays: encoded once, the same for every strategy, memory-mapped if it is on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Ragged:
    """Rows of unequal length, concatenated."""

    values: NDArray[np.generic]
    """Shape [sum of lengths]."""
    offsets: NDArray[np.int64]
    """Begin of each row, and the end of the last; shape [rows + 1]."""
    padding: float = 0
    """Value that fills short rows of a batch."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.generic]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @classmethod
    def of(
        cls, rows: Sequence[Sequence[float] | NDArray[np.generic]], dtype: type | str = "int64", padding: float = 0
    ) -> Ragged:
        """Concatenate `rows`."""
        lengths = [len(row) for row in rows]
        values = np.concatenate([np.asarray(row, dtype) for row in rows]) if rows else np.zeros(0, dtype)
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), padding)

    def pick(self, indices: Sequence[int]) -> Ragged:
        """Return the rows at `indices`, in their order."""
        return Ragged.of([self[i] for i in indices], self.values.dtype.type, self.padding)

    def take(self, indices: Sequence[int]) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return the rows at `indices`, padded on the right, and the mask of real values; both [rows, longest]."""
        lengths = [int(self.offsets[i + 1] - self.offsets[i]) for i in indices]
        out = np.full((len(lengths), max(lengths)), self.padding, self.values.dtype)
        for row, (index, length) in enumerate(zip(indices, lengths, strict=True)):
            out[row, :length] = self[index]
        return out, np.arange(out.shape[1])[None] < np.array(lengths)[:, None]


Labels: TypeAlias = "NDArray[Any] | Ragged"
"""One label per row: all of one shape, or of unequal length."""


def picked(column: Labels, rows: list[int]) -> Any:
    """Return the rows of a column, in their order."""
    return column.pick(rows) if isinstance(column, Ragged) else column[rows]


@dataclass(frozen=True)
class Encoded:
    """One split, encoded for one processor."""

    columns: Mapping[str, NDArray[np.generic] | Ragged]
    """Model inputs by name, one row per example."""
    labels: Labels
    """The label of each example: its class, shape [examples], or whatever the task asks for, one row each."""
    ids: tuple[str, ...]
    """A name for each example that is the same across runs."""
    units: NDArray[np.float64]
    """Size of each example in the task's throughput unit (tokens, images, seconds); shape [examples]."""

    def __len__(self) -> int:
        return len(self.ids)

    def wanted(self) -> Labels:
        """Return the labels of all examples."""
        return self.labels

    def at(self, indices: Sequence[int]) -> tuple[Encoded, Sequence[int]]:
        """Return an encoding that contains the examples at `indices`, and their indices in it."""
        return self, indices

    def units_of(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the units of the examples at `indices`."""
        found: NDArray[np.float64] = self.units[np.asarray(indices)]
        return found

    def lengths(self) -> NDArray[np.int64] | None:
        """Return the input length of each example, shape [examples]; None if all have the same length."""
        found = [np.diff(column.offsets) for column in self.columns.values() if isinstance(column, Ragged)]
        return np.max(found, axis=0) if found else None

    def take(self, indices: Sequence[int]) -> Encoded:
        """Return the examples at `indices`, in their order."""
        rows = list(indices)
        columns = {name: picked(column, rows) for name, column in self.columns.items()}
        return Encoded(columns, picked(self.labels, rows), tuple(self.ids[row] for row in rows), self.units[rows])
