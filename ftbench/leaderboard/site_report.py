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

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        """Accept reports that define `write_site` without naming this class, as in earlier versions."""
        return cls is SiteReport and any("write_site" in vars(base) for base in other.__mro__)
