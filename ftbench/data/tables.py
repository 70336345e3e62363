"""Tables of a user's data: rows of named cells, in memory or memory-mapped and read on demand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

CHUNK = 10_000
"""Number of rows read at a time."""


class Table(ABC):
    """Rows of a data set."""

    name: str
    """Name that prefixes the ids of its rows."""
    columns: tuple[str, ...]
    """Names of the columns."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def rows(self, numbers: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return the cells of some rows, in the order of `numbers`."""

    def names(self, column: str) -> tuple[str, ...]:
        """Return the class names of a column of class indices, or of lists of them; empty for other columns."""
        del column
        return ()

    def codes(self, column: str) -> tuple[NDArray[np.int64], list[str]]:
        """Return the code of each row's cell, shape [rows], and the cell texts in code order.

        Codes follow the first appearance of a text; an empty cell has code -1.
        """
        known: dict[str, int] = {}
        parts = [self._codes_of(indices, distinct, known) for indices, distinct in self._distinct(column)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64), list(known)

    @staticmethod
    def _codes_of(indices: NDArray[np.int64], distinct: Sequence[Any], known: dict[str, int]) -> NDArray[np.int64]:
        texts = [as_text(cell) for cell in distinct]
        codes = [known.setdefault(text, len(known)) if text else -1 for text in texts]
        return np.array([*codes, -1])[indices]

    def _distinct(self, column: str) -> Iterator[tuple[NDArray[np.int64], Sequence[Any]]]:
        """Yield a column in parts: indices into a list of distinct cells, and that list; a missing cell is -1."""
        for begin in range(0, len(self), CHUNK):
            cells = [row[column] for row in self.rows(range(begin, min(begin + CHUNK, len(self))), [column])]
            yield np.arange(len(cells)), cells


def as_text(cell: Any) -> str:
    """Return a cell as text: empty for an empty cell, whole numbers without a fraction."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


@dataclass
class StoredTable(Table):
    """A table that `datasets` stores in Arrow files; rows are read from disk on demand."""

    name: str
    data: Any
    """The `datasets.Dataset`."""

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # computed from the data
        """Names of the columns."""
        return tuple(self.data.column_names)

    def __len__(self) -> int:
        return len(self.data)

    def names(self, column: str) -> tuple[str, ...]:
        """Return the class names of a column of type `ClassLabel`, whose cells are class indices."""
        feature = self.data.features.get(column)
        return tuple(getattr(getattr(feature, "feature", feature), "names", None) or ())

    def _distinct(self, column: str) -> Iterator[tuple[NDArray[np.int64], Sequence[Any]]]:
        import pyarrow as pa

        for batch in self.data.select_columns([column]).with_format("arrow").iter(batch_size=CHUNK):
            try:
                coded = batch[column].combine_chunks().dictionary_encode()
            except pa.ArrowNotImplementedError:  # lists, tables, or both in one column
                yield from super()._distinct(column)
                return
            yield coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), coded.dictionary.to_pylist()

    def rows(self, numbers: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return the cells of some rows; sounds and images are not decoded."""
        part = self.data.select_columns(list(columns))[list(numbers)]
        return [{name: part[name][index] for name in columns} for index in range(len(numbers))]


@dataclass
class ListedTable(Table):
    """A table in memory, such as the files of a folder."""

    name: str
    cells: Mapping[str, Sequence[Any]]
    """Column → its cells."""

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # computed from the cells
        """Names of the columns."""
        return tuple(self.cells)

    def __len__(self) -> int:
        return len(next(iter(self.cells.values()), ()))

    def rows(self, numbers: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return the cells of some rows."""
        return [{name: self.cells[name][number] for name in columns} for number in numbers]
