"""Estimates as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .statistics import Estimate


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
