"""A user's data as a table: rows of named cells, read when they are needed and memory-mapped where they lie.

Files are CSV, TSV, JSON lines and Parquet, or what `datasets` wrote with `save_to_disk`; folders of images or sounds are
tables of their paths.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

CHUNK = 10_000


class Table(ABC):
    """Rows of a data set."""

    name: str
    """What its rows are called after."""
    columns: tuple[str, ...]
    """Names of the cells of a row."""

    @abstractmethod
    def __len__(self) -> int:
        """Count the rows."""

    @abstractmethod
    def rows(self, numbers: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Give the cells of some rows, in the order asked for."""

    def names(self, column: str) -> tuple[str, ...]:
        """Give the names of a column's numbers, or of the numbers in its lists; none where it holds no numbered names."""
        del column
        return ()

    def codes(self, column: str) -> tuple[NDArray[np.int64], list[str]]:
        """Give each row's cell as a number, shape [rows], and what the numbers stand for, in order of first appearance.

        An empty cell is -1.
        """
        known: dict[str, int] = {}
        numbered = [self._numbered(places, distinct, known) for places, distinct in self._distinct(column)]
        return np.concatenate(numbered) if numbered else np.zeros(0, np.int64), list(known)

    @staticmethod
    def _numbered(places: NDArray[np.int64], distinct: Sequence[Any], known: dict[str, int]) -> NDArray[np.int64]:
        texts = [as_text(cell) for cell in distinct]
        numbers = [known.setdefault(text, len(known)) if text else -1 for text in texts]
        return np.array([*numbers, -1])[places]

    def _distinct(self, column: str) -> Iterator[tuple[NDArray[np.int64], Sequence[Any]]]:
        """Yield part after part of a column, as places in a list of distinct cells; an absent cell is at -1."""
        for begin in range(0, len(self), CHUNK):
            cells = [row[column] for row in self.rows(range(begin, min(begin + CHUNK, len(self))), [column])]
            yield np.arange(len(cells)), cells


def as_text(cell: Any) -> str:
    """Give a cell as text: nothing for an empty one, whole numbers without a fraction."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


@dataclass
class StoredTable(Table):
    """A table that `datasets` keeps in Arrow files: rows are read from disk as they are asked for."""

    name: str
    data: Any
    """The `datasets.Dataset`."""

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # asked of the data
        """Names of the cells of a row."""
        return tuple(self.data.column_names)

    def __len__(self) -> int:
        return len(self.data)

    def names(self, column: str) -> tuple[str, ...]:
        """Give the names of a `datasets` class label, which is kept as a number."""
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
        """Give the cells of some rows; sounds and images undecoded."""
        part = self.data.select_columns(list(columns))[list(numbers)]
        return [{name: part[name][place] for name in columns} for place in range(len(numbers))]


@dataclass
class ListedTable(Table):
    """A table of few columns that is held in memory, such as the files of a folder."""

    name: str
    cells: Mapping[str, Sequence[Any]]
    """Column → its cells."""

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # asked of the cells
        """Names of the cells of a row."""
        return tuple(self.cells)

    def __len__(self) -> int:
        return len(next(iter(self.cells.values()), ()))

    def rows(self, numbers: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Give the cells of some rows."""
        return [{name: self.cells[name][number] for name in columns} for number in numbers]
