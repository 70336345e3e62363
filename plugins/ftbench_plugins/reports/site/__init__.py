"""Write a leaderboard as static pages, tables and badges; no JavaScript, no requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ftbench.reporting import Leaderboard


def write(board: Leaderboard, folder: Path) -> None:
    """Write the files; the same leaderboard gives the same bytes."""
    from .pages import Site

    for path, text in Site(board).files():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
