"""Write a run as one offline HTML file, and a leaderboard as a static site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftbench.reporting import SiteReport

if TYPE_CHECKING:
    from pathlib import Path

    from ftbench import Summary
    from ftbench.reporting import Leaderboard


@dataclass(frozen=True)
class HtmlReport(SiteReport):
    """Verdicts, tables, charts, confusion matrices, failures and provenance."""

    live: bool = False
    """Whether the page reloads every few seconds, for a run in progress."""

    def write(self, summary: Summary, folder: Path) -> Path:
        """Write `report.html`; the same summary gives the same bytes."""
        from .page import render

        path = folder / "report.html"
        path.write_text(render(summary, live=self.live), encoding="utf-8")
        return path

    def write_site(self, board: Leaderboard, folder: Path) -> None:
        """Write an index, and a page for each suite, strategy and run."""
        from .site import write

        write(board, folder)
