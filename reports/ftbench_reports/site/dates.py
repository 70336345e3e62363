"""Days and times as a site writes them, in UTC whatever the reader's clock."""

from __future__ import annotations

from datetime import UTC, datetime


def day(seconds: float) -> str:
    """Format a day; a dash for 0, an unknown time."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}" if seconds else "–"


def moment(seconds: float) -> str:
    """Write a day with its time; a dash where it is not known."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC" if seconds else "–"
