"""Estimates as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .statistics import Difference, Estimate, Interval


def percent(value: float) -> str:
    """Write a share as per cent."""
    return f"{100 * value:.1f} %"


def share_interval(value: Estimate) -> str:
    """Write a share with its interval, or say that it is the same for every seed."""
    if value.low is None or value.high is None:
        return percent(value.mean)
    if value.deviation == 0:
        return f"{percent(value.mean)} (each seed)"
    return f"{percent(value.mean)} [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def point_interval(value: Estimate) -> str:
    """Write a difference of shares in points, with its interval, or say that it is the same for every seed."""
    text = f"{100 * value.mean:+.1f} points"
    if value.low is None or value.high is None:
        return text
    if value.deviation == 0:
        return f"{text} (each seed)"
    return f"{text} [{100 * value.low:+.1f}, {100 * value.high:+.1f}]"


def share_range(value: Interval | None) -> str:
    """Write an interval of a share, in per cent; a dash where there is none."""
    return f"[{100 * value.low:.1f}, {100 * value.high:.1f}]" if value else "–"


def against(value: Difference) -> str:
    """Write a difference with its word, and the same on new test items where that is known."""
    text = f"{point_interval(value.estimate)}, {value.verdict}"
    if value.new_items is None or value.verdict == "too few seeds":
        return text
    interval = value.new_items.interval
    return f"{text}; on new items [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}], {value.new_items.verdict}"


def joined(words: Sequence[str]) -> str:
    """Write a list: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""
