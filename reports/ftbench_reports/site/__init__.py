"""Write a leaderboard as static pages: an index, suites, strategies and runs; no JavaScript, no requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ftbench.reporting import Leaderboard


def write(board: Leaderboard, folder: Path) -> None:
    """Write the pages; the same leaderboard gives the same bytes."""
    from .pages import Site

    for path, text in Site(board).pages():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
