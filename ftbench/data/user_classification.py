"""A classification of rows a user brings: the classes are what a column holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.task_kinds import ClassificationTask
from ..errors import UserError
from ..fingerprint import digest, remembered
from .user_data import UserData

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from .tables import Table


@dataclass
class UserClassification(UserData, ClassificationTask):
    """Rows with one class each."""

    labels: tuple[str, ...] = ()
    """Names of the classes, in order; by default all that the data hold, sorted."""

    @classmethod
    def without_data(cls, classes: int | None = None) -> Mapping[str, Any]:
        """Name the classes by their numbers, two by default."""
        return {**super().without_data(), "labels": [str(number) for number in range(classes or 2)]}

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes: those given, or all that the data hold, sorted; numbers by their size."""
        if self.labels:
            return self.labels
        key = digest([self.reading(), getattr(self, "pattern", "")])
        return tuple(remembered("classes", key, self._found_classes))

    def _found_classes(self) -> list[str]:
        known: set[str] = set()
        for table in self.tables.values():
            known.update(name for name in self._names(table, table.codes(self.target)[1]) if name)
        if len(known) < 2:
            raise UserError(
                f"data: {self.name}: column {self.target!r} holds {len(known)} classes; at least two are needed"
            )
        numeric = all(_is_number(name) for name in known)
        return sorted(known, key=lambda name: (float(name) if numeric else 0.0, name))

    def _names(self, table: Table, cells: list[str]) -> list[str]:
        """Give the classes' names for what the cells hold: a `datasets` class label is kept as a number, -1 where there is none."""
        known = table.names(self.target)
        return [(known[int(cell)] if int(cell) >= 0 else "") if known else cell for cell in cells]

    def kinds(self, table: Table) -> NDArray[np.int64]:
        """Give the class of each row; -1 where there is none.

        Raises:
            UserError: a row has a class that is not among `labels`.
        """
        codes, cells = table.codes(self.target)
        places = {name: place for place, name in enumerate(self.classes)} | {"": -1}
        names = self._names(table, cells)
        strange = [name for name in names if name not in places]
        if strange:
            raise UserError(f"labels: the data hold {strange[0]!r}, which is not among {', '.join(self.classes)}")
        return np.array([*(places[name] for name in names), -1])[codes]

    def check_folder(self, path: Path) -> None:
        """Refuse a folder whose files do not fall into classes, too."""
        super().check_folder(path)
        table = self.open_folder(path)
        assert table is not None
        classes = table.codes(self.target)[1]
        if len(classes) < 2:
            held = (
                f"all of its {len(table):,} files are of class {classes[0]!r}" if classes else "its files have no class"
            )
            raise UserError(
                f'data: {path}: {held}; give each class a folder of its own, or say what the names hold: pattern = "{{label}}_{{index}}"'
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
