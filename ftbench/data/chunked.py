"""Splits too large to encode at once: chunks are encoded on first use and cached on disk for all trials."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.encoded import Encoded, Labels, Ragged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..cache import Cache

CHUNK = 256
"""Number of examples in a chunk."""
MAX_IN_MEMORY = 64
"""Number of chunks kept in memory."""
LABELS = "labels"


class ChunkedEncoded(Encoded):
    """An encoded split that keeps only the most recently used chunks in memory.

    `columns` and `units` cover the whole split: they are computed on demand and not kept. `labels` are the classes by
    which the rows were divided, or 0 without classes; the labels that the task trains on are in the chunks.
    """

    def __init__(
        self,
        cache: Cache,
        key: Mapping[str, Any],
        labels: NDArray[np.int64],
        ids: tuple[str, ...],
        encode: Callable[[int, int], Encoded],
    ) -> None:
        """Create the split.

        Args:
            cache: stores the chunks.
            key: key of the split in the cache.
            labels: the classes by which the rows were divided, shape [examples].
            ids: ids of the examples.
            encode: encodes the examples from one index up to, and without, another.
        """
        for name, value in {
            "cache": cache,
            "key": key,
            "labels": labels,
            "ids": ids,
            "encode": encode,
            "held": OrderedDict(),
        }.items():
            object.__setattr__(self, name, value)

    cache: Cache
    key: Mapping[str, Any]
    encode: Callable[[int, int], Encoded]
    held: OrderedDict[int, Encoded]

    @property
    def columns(self) -> Mapping[str, NDArray[np.generic] | Ragged]:
        """Encode and join all chunks."""
        return self.take(range(len(self))).columns

    @property
    def units(self) -> NDArray[np.float64]:
        """Encode all chunks and return the units of every example."""
        return self.units_of(range(len(self)))

    def wanted(self) -> Labels:
        """Encode all chunks and return the labels of every example."""
        found: list[Any] = [self._chunk(number).labels for number in range(-(-len(self) // CHUNK))]
        if isinstance(found[0], Ragged):
            rows = [part[row] for part in found for row in range(len(part))]
            return Ragged.of(rows, found[0].values.dtype.type, found[0].padding)
        return np.concatenate(found)

    def lengths(self) -> NDArray[np.int64] | None:
        """Encode all chunks and return the input length of every example."""
        found = [self._chunk(number).lengths() for number in range(-(-len(self) // CHUNK))]
        return None if found[0] is None else np.concatenate([part for part in found if part is not None])

    def at(self, indices: Sequence[int]) -> tuple[Encoded, Sequence[int]]:
        """Return an encoding of only the examples at `indices`, and their indices in it."""
        return self.take(indices), range(len(indices))

    def units_of(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the units of the examples at `indices`."""
        return np.array([self._chunk(row // CHUNK).units[row % CHUNK] for row in indices])

    def take(self, indices: Sequence[int]) -> Encoded:
        """Return the examples at `indices`, in their order; chunks that are not cached are encoded."""
        rows = [int(row) for row in indices]
        chunks = {number: self._chunk(number) for number in dict.fromkeys(row // CHUNK for row in rows)}
        first = next(iter(chunks.values())) if chunks else self._chunk(0)
        columns: dict[str, Any] = {}
        for name, column in _all_columns(first).items():
            cells = [_all_columns(chunks[row // CHUNK])[name][row % CHUNK] for row in rows]
            columns[name] = (
                Ragged.of(cells, column.values.dtype.type, column.padding)
                if isinstance(column, Ragged)
                else np.stack(cells)
            )
        units = np.array([chunks[row // CHUNK].units[row % CHUNK] for row in rows])
        return Encoded(columns, columns.pop(LABELS), tuple(self.ids[row] for row in rows), units)

    def _chunk(self, number: int) -> Encoded:
        if number in self.held:
            self.held.move_to_end(number)
            return self.held[number]
        begin, end = number * CHUNK, min((number + 1) * CHUNK, len(self))
        key, form = {**self.key, "chunk": [int(begin), int(end)]}, _Chunk(self.ids[begin:end])
        found = self.cache.get("chunks", key, lambda: self.encode(begin, end), form).value
        self.held[number] = found
        if len(self.held) > MAX_IN_MEMORY:
            self.held.popitem(last=False)
        return found


def _all_columns(chunk: Encoded) -> dict[str, Any]:
    return {**chunk.columns, LABELS: chunk.labels}


@dataclass(frozen=True)
class _Chunk:
    """Cache format of a chunk: one file."""

    ids: tuple[str, ...]
    """Ids of its examples."""

    def write(self, value: Encoded, folder: Path) -> None:
        arrays: dict[str, Any] = {"units": value.units}
        for name, column in _all_columns(value).items():
            if isinstance(column, Ragged):
                arrays |= {
                    f"values.{name}": column.values,
                    f"offsets.{name}": column.offsets,
                    f"padding.{name}": np.array(column.padding),
                }
            else:
                arrays[f"dense.{name}"] = column
        np.savez(folder / "chunk.npz", **arrays)

    def read(self, folder: Path) -> Encoded:
        columns: dict[str, Any] = {}
        with np.load(folder / "chunk.npz", allow_pickle=False) as stored:
            for key in stored.files:
                kind, _, name = key.partition(".")
                if kind == "dense":
                    columns[name] = stored[key]
                elif kind == "values":
                    columns[name] = Ragged(stored[key], stored[f"offsets.{name}"], stored[f"padding.{name}"].item())
            return Encoded(columns, columns.pop(LABELS), self.ids, stored["units"])
