"""Any number of classes for each of a user's own texts, or pairs of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ftbench import UserError
from ftbench.fingerprint import digest, remembered
from ftbench.tasks import MultiLabelTask, as_text

from .texts import as_list
from .whole_texts import WholeTexts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Example
    from ftbench.tasks import Table
    from numpy.typing import NDArray


@dataclass
class MultiLabelTextClassification(WholeTexts, MultiLabelTask):
    """Which classes does a text have, if any? Your own texts, from a table."""

    target: str = "labels"
    """Column of the classes: a list, or a text that names them one after another. An empty one says that no class holds."""
    separator: str = ";"
    """What stands between the names where they are a text."""
    labels: tuple[str, ...] = ()
    """Names of the classes, in order; by default all that the data hold, sorted."""

    @classmethod
    def without_data(cls, classes: int | None = None) -> Mapping[str, Any]:
        """Name the classes by their numbers, two by default."""
        return {**super().without_data(), "labels": [str(number) for number in range(classes or 2)]}

    def kinds(self, table: Table) -> NDArray[np.int64]:
        """Divide all rows alike; those whose cell is absent, not empty, are left out."""
        return np.array([-1 if cell is None else 0 for cell in self.target_cells(table)], np.int64)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes: those given, or all that the data hold, sorted."""
        if self.labels:
            return self.labels
        key = digest([self.reading(), self.separator])
        return tuple(remembered("classes", key, self._found_classes))

    def _found_classes(self) -> list[str]:
        known = {
            name
            for table in self.tables.values()
            for cell in self.target_cells(table)
            for name in self._named(table, cell)
        }
        if len(known) < 2:
            raise UserError(
                f"data: {self.name}: column {self.target!r} holds {len(known)} classes; at least two are needed"
            )
        return sorted(known)

    def _named(self, table: Table, cell: Any) -> list[str]:
        """Give the names in a cell: lists of a `datasets` class label hold numbers."""
        known = table.names(self.target)
        return [known[int(one)] for one in cell] if known and isinstance(cell, list) else as_list(cell, self.separator)

    def label_rows(self, examples: Sequence[Example[tuple[str, int]]]) -> NDArray[np.int64]:
        """Give 1 where a class holds, [examples, classes].

        Raises:
            UserError: a row has a class that is not among `labels`.
        """
        places = {name: place for place, name in enumerate(self.classes)}
        found = np.zeros((len(examples), len(places)), np.int64)
        for row, (example, cells) in enumerate(zip(examples, self.cells(examples, (self.target,)), strict=True)):
            key, number = example.value
            for name in self._named(self.tables[key], cells[self.target]):
                if name not in places:
                    raise UserError(
                        f"{self.name}: {key} row {number + 1}: {as_text(name)!r} is not among the labels {', '.join(self.classes)}"
                    )
                found[row, places[name]] = 1
        return found
