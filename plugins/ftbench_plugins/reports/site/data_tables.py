"""Write the tables of a site as CSV and as JSON, next to the pages that show them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..table import safe_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

Value = str | int | float | bool | None


@dataclass(frozen=True)
class DataTable:
    """One table, as values."""

    stem: str
    """Path of its files within the site, without the ending."""
    headings: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    """Shape [rows, headings]; numbers in base units, rounded to six digits, and None if there is no value."""

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield path and text of both files."""
        rows = [[_rounded(value) for value in row] for row in self.rows]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.headings)
        writer.writerows([["" if value is None else safe_cell(value) for value in row] for row in rows])
        yield f"{self.stem}.csv", stream.getvalue()
        named = [dict(zip(self.headings, row, strict=True)) for row in rows]
        yield f"{self.stem}.json", json.dumps(named, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _rounded(value: Value) -> Any:
    """Round a number to six digits, which processors and libraries that round the last bits differently agree on."""
    if isinstance(value, bool) or not isinstance(value, float):
        return value
    found = float(f"{value:.6g}")
    return int(found) if found.is_integer() and abs(found) < 2**53 else found
