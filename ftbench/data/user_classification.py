"""Classification of a user's rows: the classes are the values of a column."""

from __future__ import annotations

import re
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


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_EXACT = 2.0**53
"""Absolute value from which different whole numbers may be equal in double precision."""
_SHOWN = 3
"""Number of unknown classes named in a message."""
_VERSION = 2
"""Version of the rule by which names are classes; part of cache keys."""


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
        """The class names: `labels`, or all values in the data, sorted; numbers are sorted numerically.

        Numbers that are equal, such as 1 and 1.0, are one class; its name is the shortest one.
        """
        if self.labels:
            return self.labels
        key = digest([self.reading(), getattr(self, "pattern", ""), _VERSION])
        return tuple(remembered("classes", key, self._classes_in_data))

    def _classes_in_data(self) -> list[str]:
        known: set[str] = set()
        for table in self.tables.values():
            known.update(name for name in self._names(table, table.codes(self.target)[1]) if name)
        if len(known) < 2:
            raise UserError(
                f"data: {self.name}: column {self.target!r} holds {len(known)} classes; at least two are needed"
            )
        by_value: dict[str | float, str] = {}
        for name in sorted(known, key=lambda name: (len(name), name)):
            by_value.setdefault(_value(name), name)
        if len(by_value) < 2:
            raise UserError(
                f"data: {self.name}: column {self.target!r} holds one number, "
                f"written as {', '.join(sorted(known))}; at least two classes are needed"
            )
        numeric = all(_NUMBER.fullmatch(name) for name in known)
        return sorted(by_value.values(), key=lambda name: (float(name) if numeric else 0.0, name))

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
        numbered = list(enumerate(self.classes))
        indices: dict[str | float, int] = {_value(name): index for index, name in numbered}
        indices = {**indices, **{name: index for index, name in numbered}, "": -1}
        names = self._names(table, cells)
        found = [indices.get(name, indices.get(_value(name))) for name in names]
        if None in found:
            unknown = _unknown(names, found, codes)
            raise UserError(f"labels: the data contain {unknown}, not among {', '.join(self.classes)}")
        return np.array([*found, -1], np.int64)[codes]

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


def _value(name: str) -> str | float:
    """Return the number that a name is, or the name if it is none."""
    if not _NUMBER.fullmatch(name):
        return name
    value = float(name)
    # Digits beyond the precision of a number make names different, as in long identifiers.
    return value if abs(value) < _EXACT else name


def _unknown(names: list[str], found: list[int | None], codes: NDArray[np.int64]) -> str:
    """Describe the names without an index, and how many rows have them."""
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    lost = [place for place, index in enumerate(found) if index is None]
    shown = [f"{names[place]!r} in {counts[place]:,} row{'' if counts[place] == 1 else 's'}" for place in lost[:_SHOWN]]
    return ", ".join([*shown, *([f"{len(lost) - _SHOWN} more"] if len(lost) > _SHOWN else [])])
