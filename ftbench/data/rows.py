"""Examples backed by the rows of a table, created on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from ..api.splits import Example

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows(Sequence[Example[tuple[str, int]]]):
    """Some rows of a table as examples, created on demand; the value of an example is (table key, row number)."""

    key: str
    """Key of the table: `data`, or the name of its split."""
    numbers: NDArray[np.int64]
    """Row numbers, shape [examples]."""
    labels: NDArray[np.int64]
    """Classes, shape [examples]; 0 if there are no classes."""

    @overload
    def __getitem__(self, index: int) -> Example[tuple[str, int]]: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Example[tuple[str, int]] | Rows:
        if isinstance(index, slice):
            return Rows(self.key, self.numbers[index], self.labels[index])
        number = int(self.numbers[index])
        return Example(f"{self.key}-{number}", (self.key, number), int(self.labels[index]))

    def __len__(self) -> int:
        return len(self.numbers)

    def ids(self) -> list[str]:
        """Return the ids of all examples without creating the examples."""
        return [f"{self.key}-{number}" for number in self.numbers.tolist()]
