"""The contract of a report: write a summary to a folder; all arithmetic was done before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ..leaderboard.leaderboard import Leaderboard
    from .summary import Summary


class Report(ABC):
    """One format of report."""

    @abstractmethod
    def write(self, summary: Summary, folder: Path) -> Path:
        """Write the report into `folder` and give the path to open."""

    def write_site(self, board: Leaderboard, folder: Path) -> None:
        """Write the pages of a leaderboard into `folder`, the same bytes each time; by default there are none in this format.

        `leaderboard.json` and the bundles are written there by others.
        """
