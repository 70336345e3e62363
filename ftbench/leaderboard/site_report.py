"""The contract of a report that also writes the pages of a leaderboard site."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ..analysis.report import Report

if TYPE_CHECKING:
    from pathlib import Path

    from .leaderboard import Leaderboard


class SiteReport(Report):
    """A report format with pages for a leaderboard site."""

    @abstractmethod
    def write_site(self, board: Leaderboard, folder: Path) -> None:
        """Write the pages of `board` into `folder`; the same leaderboard gives the same bytes.

        ftbench writes `leaderboard.json` and copies the bundles itself.
        """
