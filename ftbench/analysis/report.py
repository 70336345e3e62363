"""The contract of a report: write a summary to a folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .summary import Summary


class Report(ABC):
    """One report format. A report formats the numbers of a summary and computes none of its own."""

    @abstractmethod
    def write(self, summary: Summary, folder: Path) -> Path:
        """Write the report into `folder` and return the path to open."""
