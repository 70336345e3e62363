"""Format days and times of a site, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def day(seconds: float) -> str:
    """Format a day; a dash for 0, an unknown time."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}" if seconds else "–"


def moment(seconds: float) -> str:
    """Format a day with its time; a dash for 0, an unknown time."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC" if seconds else "–"


def iso(seconds: float) -> str | None:
    """Format a time for programs; None for 0, an unknown time."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds else None
