"""Multi-label classification of user-provided texts, or pairs of texts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ftbench import UserError
from ftbench.fingerprint import digest, remembered
from ftbench.tasks import MultiLabelTask, as_text

from .label_cells import LABEL_FORMS, LabelForm, recognised
from .whole_texts import WholeTexts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ftbench import Example
    from ftbench.tasks import Severity, Table
    from numpy.typing import NDArray


UNKNOWN = "class not among labels"


@dataclass
class MultiLabelTextClassification(WholeTexts, MultiLabelTask):
    """Assign any number of classes to texts of your own, from a table."""

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        **WholeTexts.advice,
        UNKNOWN: ("error", "correct it, or add it to `labels`"),
    }

    target: str = "labels"
    """Column of the classes: a list of names, of numbers, or of 1 and 0 for each class; or a text of their names, which
    may be a list as Python or JSON write it. An empty cell means no class."""
    separator: str = ""
    """Separator of the names in a text; by default recognised from the whole column."""
    labels: tuple[str, ...] = ()
    """Names of the classes, in order; by default all those in the data, sorted."""

    @classmethod
    def without_data(cls, classes: int | None = None) -> Mapping[str, Any]:
        """Return options with numbered classes, two by default."""
        return {**super().without_data(), "labels": [str(number) for number in range(classes or 2)]}

    def kinds(self, table: Table) -> NDArray[np.int64]:
        """Treat all rows as one stratum; rows with a missing (not an empty) cell are left out."""
        return np.array([-1 if cell is None else 0 for cell in self.target_cells(table)], np.int64)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes: those given, or all those in the data, sorted."""
        if self.labels:
            return self.labels
        key = digest([self.reading(), self.separator, LABEL_FORMS])
        return tuple(remembered("classes", key, self._found_classes))

    @cached_property
    def label_form(self) -> LabelForm:
        """How the cells hold classes.

        Raises:
            UserError: that is doubtful.
        """

        def look() -> dict[str, Any]:
            cells = (cell for table in self.tables.values() for cell in self.target_cells(table))
            return asdict(recognised(cells, self.separator, self.labels))

        try:
            key = digest([self.reading(), self.separator, self.labels, LABEL_FORMS])
            return LabelForm(**remembered("label-forms", key, look))
        except UserError as error:
            place = f"data: {self.name}: column {self.target!r}"
            raise UserError(*(f"{place}: {mistake}" for mistake in error.mistakes)) from None

    def _found_classes(self) -> list[str]:
        if self.label_form.vector:
            return [str(number) for number in range(self.label_form.vector)]
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
        """Return the names in a cell; a `datasets` class label stores numbers."""
        known = table.names(self.target)
        if known and isinstance(cell, list):
            return [known[int(one)] for one in cell]
        return self.label_form.names(cell, self.labels)

    def row_problems(self, key: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the names of a row that are not among `labels`."""
        yield from super().row_problems(key, row)
        names = self._named(self.tables[key], row[self.target]) if self.labels else ()
        if lost := [name for name in names if name not in self.labels]:
            yield UNKNOWN, ", ".join(map(repr, lost[:3]))

    def label_rows(self, examples: Sequence[Example[tuple[str, int]]]) -> NDArray[np.int64]:
        """Return 1 for each class that applies, [examples, classes].

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
                        f"{self.name}: {key} row {number + 1}: "
                        f"{as_text(name)!r} is not among the labels {', '.join(self.classes)}"
                    )
                found[row, places[name]] = 1
        return found
