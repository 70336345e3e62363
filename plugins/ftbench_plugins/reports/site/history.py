"""Draw a suite's scores from run to run: a chart per task column, with intervals and without ranks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ..axes import Scale
from ..charts import marks
from ..columns import with_interval
from ..figure import Figure, drawing, shortened
from ..palette import Look, marker
from .dates import day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench.reporting import PublishedRun, Quantity, Series, TaskColumn

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 340, 240, 44, 10, 12, 42
_EDGE = 26
"""Room between the frame and the first and last run."""
_SHIFT, _LABELS = 4.0, 4
_REACH, _LEAST = 4.0, 0.02


def history(
    series: Sequence[Series],
    runs: Mapping[str, PublishedRun],
    looks: Mapping[str, Look],
    column: TaskColumn | None = None,
) -> Figure | None:
    """Draw the series of one task column, device model and measuring version; None if nothing was run twice.

    Args:
        series: all of that task column, device model and measuring version.
        runs: name → run.
        looks: contender → how it is drawn.
        column: the task column as ranked now; its pick, leader and baseline are in colour. Without it, all are.
    """
    known = [one for one in series if any(point.score and point.score.estimate for point in one.points)]
    names = sorted({point.run for one in known for point in one.points}, key=lambda name: (runs[name].finished, name))
    if len(names) < 2:
        return None
    drawn = _near([one for one in known if len(one.points) > 1] or known)
    ends = [end for one in drawn for point in one.points for end in _ends(point.score)]
    step = (_WIDTH - _LEFT - _RIGHT - 2 * _EDGE) / (len(names) - 1)
    across = {name: _LEFT + _EDGE + place * step for place, name in enumerate(names)}
    up = Scale.over(ends, _HEIGHT - _BOTTOM, _TOP)
    first = drawn[0].points[-1].score or drawn[0].points[0].score
    share = first is not None and first.unit == "1"
    parts = [_frame(across, up, runs, step, share=share)]
    for number, one in enumerate(drawn):
        # Shift contenders sideways, so that intervals of equal scores do not overlap.
        shift = _SHIFT * (number - (len(drawn) - 1) / 2) if len(drawn) <= 12 else 0.0
        pale = column is not None and one.contender not in marks(column)
        parts.append(_line(one, {name: x + shift for name, x in across.items()}, up, looks[one.contender], pale=pale))
    target = series[0].target
    about = (
        "The primary score with its 95 % interval over seeds, run after run. Dashed line: another machine or other "
        "software."
    )
    if len(drawn) < len(known):
        about += " Strategies far behind, or run once, are in the table only."
    headings = (
        "strategy",
        *(f"{day(runs[name].finished)}, {runs[name].harness or 'unknown version'}" for name in names),
    )
    rows = tuple((one.contender, *(_cell(one, name) for name in names)) for one in known)
    chart = drawing("".join(parts), _WIDTH, _HEIGHT, f"{target}: {about}")
    return Figure(f"{target}: run after run", about, (("", chart),), headings, rows)


def _near(series: Sequence[Series]) -> Sequence[Series]:
    """Leave out outliers far below the median, such as the untrained model, to leave room for the others."""
    means = {
        one.contender: [point.score.estimate.mean for point in one.points if point.score and point.score.estimate]
        for one in series
    }
    last = sorted((found[-1] for found in means.values()), reverse=True)
    lower = any(point.score and point.score.direction == "lower" for one in series for point in one.points)
    best, middle = last[-1] if lower else last[0], last[len(last) // 2]
    reach = max(_REACH * abs(best - middle), _LEAST)
    return [one for one in series if any(abs(best - mean) <= reach for mean in means[one.contender])]


def _ends(score: Quantity | None) -> list[float]:
    found = score.estimate if score else None
    if found is None:
        return []
    if found.n < 3 or found.low is None or found.high is None:
        return [found.mean]
    return [found.low, found.high]


def _frame(
    across: Mapping[str, float], up: Scale, runs: Mapping[str, PublishedRun], step: float, *, share: bool
) -> str:
    parts = []
    for tick in up.ticks():
        y, text = up.place(tick), f"{100 * tick:g} %" if share else f"{tick:g}"
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" class="grid"/>'
            f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" class="e">{text}</text>'
        )
    every = -(-len(across) // _LABELS)
    before = ""
    for number, (name, x) in enumerate(across.items()):
        run = runs[name]
        if before and run.environment != before:
            parts.append(f'<path d="M{x - step / 2:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" class="front"/>')
        before = run.environment
        if number % every == 0:
            version = shortened(run.harness, 14) or "?"
            parts.append(
                f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" class="m">{day(run.finished)}</text>'
                f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 29}" class="m">ftbench {escape(version)}</text>'
            )
    return "".join(parts)


def _line(series: Series, across: Mapping[str, float], up: Scale, look: Look, *, pale: bool) -> str:
    scored = [(across[point.run], point.score) for point in series.points if point.score and point.score.estimate]
    places = " ".join(f"{x:.1f},{up.place(score.estimate.mean):.1f}" for x, score in scored if score.estimate)
    parts = [f'<polyline points="{places}" class="curve"/>'] if len(scored) > 1 else []
    for x, score in scored:
        ends = [up.place(value) for value in _ends(score)]
        if len(ends) > 1:
            parts.append(f'<path d="M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}" class="whisker"/>')
        assert score.estimate is not None
        parts.append(marker(look, x, up.place(score.estimate.mean), inherits=True))
    return f'<g class="k{look.colour}{" o" * pale}">{"".join(parts)}<title>{escape(series.contender)}</title></g>'


def _cell(series: Series, run: str) -> str:
    point = next((point for point in series.points if point.run == run), None)
    if point is None:
        return ""
    if point.score is not None and point.score.estimate is not None:
        return f"{with_interval(point.score)}, n = {point.score.estimate.n}"
    return ", ".join(f"{count} {status}" for status, count in sorted(point.statuses.items()))
