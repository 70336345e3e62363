"""The page: one offline HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench import Report

if TYPE_CHECKING:
    from pathlib import Path

    from ftbench import Summary


class HtmlReport(Report):
    """Verdicts, tables, charts, confusion matrices, failures and provenance."""

    def write(self, summary: Summary, folder: Path) -> Path:
        """Write `report.html`; the same summary gives the same bytes."""
        from .page import render

        path = folder / "report.html"
        path.write_text(render(summary), encoding="utf-8")
        return path
