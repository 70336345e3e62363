"""Write the summary as LaTeX, to include in a paper; it needs the package booktabs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ftbench import Report

if TYPE_CHECKING:
    from pathlib import Path

    from ftbench import Summary


@dataclass(frozen=True)
class LatexReport(Report):
    """A table a task with intervals, and rows for what failed; or one compact table of strategies and tasks."""

    style: Literal["full", "compact"] = "full"
    """One table a task, or one table of all strategies and tasks."""

    def write(self, summary: Summary, folder: Path) -> Path:
        """Write `report.tex`."""
        from .latex_tables import document

        path = folder / "report.tex"
        path.write_text(document(summary, self.style), encoding="utf-8")
        return path
