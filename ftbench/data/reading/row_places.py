"""Name rows as the user knows them: the file, and the line or the row in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..tables import ListedTable, as_text
from .workbooks import is_workbook

if TYPE_CHECKING:
    from ..user_data import UserData


@dataclass
class RowPlaces:
    """Where the rows of a task come from."""

    task: UserData
    _lines: dict[str, list[tuple[str, int]] | None] = field(default_factory=dict)
    """Key of a table → file and line of each row; None if its rows have no lines."""

    def of(self, key: str, number: int) -> str:
        """Return the place of a row, counted from 1, such as `data.csv line 12`.

        An example that is a file is named by its path, with the line if it is listed in a table.
        """
        table = self.task.tables[key]
        if isinstance(table, ListedTable) and "path" in table.columns:
            return _short(table.cells["path"][number])
        if key not in self._lines:
            self._lines[key] = self._read_lines(key)
        lines, files = self._lines[key], self.task.files(key)
        if lines is not None and number < len(lines):
            file, line = lines[number]
            place = f"{file} {'row' if is_workbook(file) else 'line'} {line}"
        else:
            place = f"{files[0].name if len(files) == 1 else table.name} row {number + 1}"
        example = self._file(key, number)
        return f"{place} ({example})" if example else place

    def _read_lines(self, key: str) -> list[tuple[str, int]] | None:
        found: list[tuple[str, int]] = []
        for path in self.task.files(key):
            lines = self.task.row_lines(path)
            if lines is None:
                return None
            found += [(path.name, line) for line in lines]
        return found or None

    def _file(self, key: str, number: int) -> str:
        """Return the file that a row of a table of paths refers to; empty if its inputs are not files."""
        if not self.task.folder_files():
            return ""
        (column,) = self.task.inputs()
        cell = self.task.tables[key].rows([number], [column])[0][column]
        return _short(cell.get("path") if isinstance(cell, dict) else cell)


def _short(path: Any) -> str:
    """Return the last two parts of a path: the folder is often the class."""
    return "/".join(Path(as_text(path)).parts[-2:])
