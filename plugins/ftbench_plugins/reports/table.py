"""Write the summary as CSV: a row per task column, strategy and measurement."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from ftbench import Report
from ftbench.reporting import collapsed

if TYPE_CHECKING:
    from pathlib import Path

    from ftbench import Summary


class CsvReport(Report):
    """Every measurement with mean, interval, n, unit and method."""

    def write(self, summary: Summary, folder: Path) -> Path:
        """Write `report.csv`."""
        from ftbench.reporting import rows

        path = folder / "report.csv"
        table = rows(summary)
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(table[0]) if table else [])
            writer.writeheader()
            writer.writerows({key: safe_cell(value) for key, value in row.items()} for row in table)
        return path


def safe_cell(value: object) -> object:
    """Keep spreadsheets from running a text as a formula, and the text on one line."""
    if not isinstance(value, str):
        return value
    text = f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    return collapsed(text)
