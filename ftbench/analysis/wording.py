"""Estimates as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..stats.estimates import Difference, Estimate, Interval


def percent(value: float) -> str:
    """Write a share as per cent."""
    return f"{100 * value:.1f} %"


def score_text(value: float, unit: str = "1") -> str:
    """Write a score: a share as per cent, any other in its unit."""
    return percent(value) if unit == "1" else f"{value:.4g} {unit}"


def share_interval(value: Estimate, unit: str = "1") -> str:
    """Write a score with its interval, or say that it is the same for every seed."""
    if value.low is None or value.high is None:
        return score_text(value.mean, unit)
    if value.deviation == 0:
        return f"{score_text(value.mean, unit)} (each seed)"
    return f"{score_text(value.mean, unit)} {_ends(value.low, value.high, unit)}"


def share_range(value: Interval | None, unit: str = "1") -> str:
    """Write an interval of a score; a dash where there is none."""
    return _ends(value.low, value.high, unit) if value else "–"


def _ends(low: float, high: float, unit: str) -> str:
    return f"[{100 * low:.1f}, {100 * high:.1f}]" if unit == "1" else f"[{low:.4g}, {high:.4g}]"


def step_text(value: float, unit: str = "1") -> str:
    """Write a difference of two scores, without a word for what it counts: points of shares, else the scores' unit."""
    return f"{100 * value:+.1f}" if unit == "1" else f"{value:+.3g}"


def step_range(low: float, high: float, unit: str = "1") -> str:
    """Write an interval of a difference of two scores."""
    return f"[{step_text(low, unit)}, {step_text(high, unit)}]"


def step_unit(unit: str) -> str:
    """Name what differences of scores are counted in: `points` of shares, else the scores' unit."""
    return "points" if unit == "1" else unit


def point_interval(value: Estimate, unit: str = "1") -> str:
    """Write a difference of scores with its interval, or say that it is the same for every seed."""
    text = f"{step_text(value.mean, unit)} {step_unit(unit)}"
    if value.low is None or value.high is None:
        return text
    if value.deviation == 0:
        return f"{text} (each seed)"
    return f"{text} {step_range(value.low, value.high, unit)}"


def lead(value: Estimate, unit: str = "1") -> str:
    """Write by how much one beats another, whichever way is better, with the interval."""
    far, near, mean = (None if end is None else abs(end) for end in (value.high, value.low, value.mean))
    text = f"{_bare(mean or 0.0, unit)} {step_unit(unit)}"
    if far is None or near is None or value.deviation == 0:
        return text if value.deviation is None else f"{text} (each seed)"
    return f"{text} [{_bare(min(near, far), unit)}, {_bare(max(near, far), unit)}]"


def _bare(value: float, unit: str) -> str:
    return step_text(value, unit).removeprefix("+")


def against(value: Difference, unit: str = "1") -> str:
    """Write a difference with its word, and the same on new test items where that is known."""
    text = f"{point_interval(value.estimate, unit)}, {value.verdict}"
    if value.new_items is None or value.verdict == "too few seeds":
        return text
    interval = value.new_items.interval
    return f"{text}; on new items {step_range(interval.low, interval.high, unit)}, {value.new_items.verdict}"


def joined(words: Sequence[str]) -> str:
    """Write a list: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""
