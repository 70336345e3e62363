"""Classification of a user's rows: the classes are the values of a column."""

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
    """Classification of rows with one class each."""

    labels: tuple[str, ...] = ()
    """Names of the classes, in order; by default all values in the data, sorted."""

    @classmethod
    def without_data(cls, classes: int | None = None) -> Mapping[str, Any]:
        """Return options with numbers as class names; two classes by default."""
        return {**super().without_data(), "labels": [str(number) for number in range(classes or 2)]}

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names: `labels`, or all values in the data, sorted; numbers are sorted numerically."""
        if self.labels:
            return self.labels
        key = digest([self.reading(), getattr(self, "pattern", "")])
        return tuple(remembered("classes", key, self._classes_in_data))

    def _classes_in_data(self) -> list[str]:
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
        """Return the class names of cells; a column of type `ClassLabel` has class indices, -1 for no label."""
        known = table.names(self.target)
        return [(known[int(cell)] if int(cell) >= 0 else "") if known else cell for cell in cells]

    def kinds(self, table: Table) -> NDArray[np.int64]:
        """Return the class of each row, shape [rows]; -1 if it has none.

        Raises:
            UserError: a row has a class that is not in `labels`.
        """
        codes, cells = table.codes(self.target)
        indices = {name: index for index, name in enumerate(self.classes)} | {"": -1}
        names = self._names(table, cells)
        unknown = [name for name in names if name not in indices]
        if unknown:
            raise UserError(f"labels: the data contain {unknown[0]!r}, which is not among {', '.join(self.classes)}")
        return np.array([*(indices[name] for name in names), -1])[codes]

    def check_folder(self, path: Path) -> None:
        """Check also that the files have at least two classes.

        Raises:
            UserError: a column is missing, or there are fewer classes.
        """
        super().check_folder(path)
        table = self.open_folder(path)
        assert table is not None
        classes = table.codes(self.target)[1]
        if len(classes) < 2:
            problem = (
                f"all {len(table):,} files have the class {classes[0]!r}" if classes else "its files have no class"
            )
            hint = 'put each class in its own folder, or set pattern = "{label}_{index}"'
            raise UserError(f"data: {path}: {problem}; {hint}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
