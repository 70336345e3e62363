"""Text of scores, differences, intervals and lists, as shown in reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records.data_check import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..records.data_check import TaskFlaws
    from ..stats.estimates import Difference, Estimate, Interval


def percent(value: float) -> str:
    """Return a share as a percentage rounded to one decimal: 0.9312 is `93.1 %`.

    Shares are usually between 0 and 1, but any finite number is accepted. Only negative numbers get a sign; see
    `percent_change` for relative changes.
    """
    return f"{100 * value:.1f} %"


def percent_change(value: float) -> str:
    """Return a relative change as a signed percentage rounded to one decimal: 0.05 is `+5.0 %`, −0.5 is `-50.0 %`."""
    return f"{100 * value:+.1f} %"


def score_text(value: float, unit: str = "1") -> str:
    """Return a score: a share (unit `1`) as a percentage, any other with four significant digits and its unit."""
    return percent(value) if unit == "1" else f"{value:.4g} {unit}"


def share_interval(value: Estimate, unit: str = "1") -> str:
    """Return a score with its interval, or with `(each seed)` if all seeds are equal; one seed has no interval."""
    if value.low is None or value.high is None:
        return score_text(value.mean, unit)
    if value.deviation == 0:
        return f"{score_text(value.mean, unit)} (each seed)"
    return f"{score_text(value.mean, unit)} {_ends(value.low, value.high, unit)}"


def share_range(value: Interval | None, unit: str = "1") -> str:
    """Return the interval of a score; a dash if there is none."""
    return _ends(value.low, value.high, unit) if value else "–"


def _ends(low: float, high: float, unit: str) -> str:
    return f"[{100 * low:.1f}, {100 * high:.1f}]" if unit == "1" else f"[{low:.4g}, {high:.4g}]"


def plus_minus(mean: float, interval: Interval | None, unit: str = "1") -> str:
    """Return a score without its unit and the longer half of its interval, `81.0 ± 2.9`.

    A share whose longer half would leave 0 to 100 % gets both halves: `99.5 −2.4/+0.4`.
    """
    if interval is None:
        return _score(mean, unit)
    if unit != "1":
        return f"{_score(mean, unit)} ± {max(mean - interval.low, interval.high - mean, 0.0):.2g}"
    # Whole tenths of a percent, so that what is shown adds up.
    middle, low, high = (round(1000 * value) for value in (mean, interval.low, interval.high))
    below, above = max(middle - low, 0), max(high - middle, 0)
    longer = max(below, above)
    if low >= 0 > middle - longer or high <= 1000 < middle + longer:
        return f"{middle / 10:.1f} −{below / 10:.1f}/+{above / 10:.1f}"
    return f"{middle / 10:.1f} ± {longer / 10:.1f}"


def _score(value: float, unit: str) -> str:
    return f"{100 * value:.1f}" if unit == "1" else f"{value:.4g}"


def step_text(value: float, unit: str = "1") -> str:
    """Return a difference of two scores without its unit: percentage points for shares, else in the scores' unit."""
    return f"{100 * value:+.1f}" if unit == "1" else f"{value:+.3g}"


def step_range(low: float, high: float, unit: str = "1") -> str:
    """Return the interval of a difference of two scores."""
    return f"[{step_text(low, unit)}, {step_text(high, unit)}]"


def step_unit(unit: str) -> str:
    """Return the unit of differences of scores: `points` for shares, else the scores' unit."""
    return "points" if unit == "1" else unit


def point_interval(value: Estimate, unit: str = "1") -> str:
    """Return a difference of scores with its interval, or with `(each seed)` if all seeds are equal."""
    text = f"{step_text(value.mean, unit)} {step_unit(unit)}"
    if value.low is None or value.high is None:
        return text
    if value.deviation == 0:
        return f"{text} (each seed)"
    return f"{text} {step_range(value.low, value.high, unit)}"


def lead(value: Estimate, unit: str = "1") -> str:
    """Return the absolute difference of two scores, with its interval."""
    far, near, mean = (None if end is None else abs(end) for end in (value.high, value.low, value.mean))
    text = f"{_bare(mean or 0.0, unit)} {step_unit(unit)}"
    if far is None or near is None or value.deviation == 0:
        return text if value.deviation is None else f"{text} (each seed)"
    return f"{text} [{_bare(min(near, far), unit)}, {_bare(max(near, far), unit)}]"


def _bare(value: float, unit: str) -> str:
    return step_text(value, unit).removeprefix("+")


def against(value: Difference, unit: str = "1") -> str:
    """Return a difference with its verdict, followed by those on new test items if they are known."""
    text = f"{point_interval(value.estimate, unit)}, {value.verdict}"
    if value.new_items is None or value.verdict == "too few seeds":
        return text
    interval = value.new_items.interval
    return f"{text}; on new items {step_range(interval.low, interval.high, unit)}, {value.new_items.verdict}"


def joined(words: Sequence[str]) -> str:
    """Return words as a list: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def data_errors(tasks: Sequence[TaskFlaws]) -> str:
    """Return a sentence that names the errors in the data of each task; empty if there are none."""
    wrong = [(one.task, one.of("error")) for one in tasks if one.of("error")]
    if not wrong:
        return ""
    named = [f"{task} ({', '.join(f'{flaw.count:,} × {flaw.kind}' for flaw in flaws)})" for task, flaws in wrong]
    return f"Errors in the data of {joined(named)}: do not rely on {'its' if len(named) == 1 else 'their'} scores."


def data_counts(tasks: Sequence[TaskFlaws]) -> str:
    """Return how many flaws of each severity the data of all tasks have, `1 error, 2 warnings`; empty if none."""
    found = ((severity, sum(len(one.of(severity)) for one in tasks)) for severity in SEVERITIES)
    return ", ".join(f"{number} {severity}{'s' if number > 1 else ''}" for severity, number in found if number)
