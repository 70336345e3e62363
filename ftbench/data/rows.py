"""Examples of a table, made when they are asked for."""

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
    """Some rows of a table as examples, made when they are asked for; a value is the table's key and the row's number."""

    key: str
    """Which table: `data`, or the split it was given as."""
    numbers: NDArray[np.int64]
    """Rows of the table, shape [examples]."""
    labels: NDArray[np.int64]
    """Their classes, shape [examples]; 0 where there are no classes."""

    @overload
    def __getitem__(self, place: int) -> Example[tuple[str, int]]: ...
    @overload
    def __getitem__(self, place: slice) -> Rows: ...
    def __getitem__(self, place: int | slice) -> Example[tuple[str, int]] | Rows:
        if isinstance(place, slice):
            return Rows(self.key, self.numbers[place], self.labels[place])
        number = int(self.numbers[place])
        return Example(f"{self.key}-{number}", (self.key, number), int(self.labels[place]))

    def __len__(self) -> int:
        return len(self.numbers)

    def ids(self) -> list[str]:
        """Give the ids of all examples without making the examples."""
        return [f"{self.key}-{number}" for number in self.numbers.tolist()]
