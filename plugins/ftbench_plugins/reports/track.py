"""Draw scores on one labelled axis: a small drawing per row, which stretches with its column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from ftbench.reporting import interval_shown, score_text
from markupsafe import Markup

from .charts import mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench.reporting import Contender, TaskColumn

    from .palette import Look

_FEWEST, _MOST, _MIDDLE = 4, 8, 9
"""Steps of an axis, and the middle of a row in pixels."""
_LANE, _THIN, _HIGH = 7.0, 2.2, 60.0
"""Height of a score among many in pixels, at most and at least, and of all of them unless they would be too thin."""


@dataclass(frozen=True)
class Axis:
    """An axis from one round value to another, in equal steps."""

    low: float
    high: float
    step: float
    unit: str = "1"

    @property
    def steps(self) -> int:
        """Number of steps; the style sheet has a grid for each number."""
        return max(1, round((self.high - self.low) / self.step))

    def place(self, value: float) -> float:
        """Return the place of a value in per cent of the width, clipped at the ends."""
        return 100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def ticks(self) -> list[float]:
        """Return the round values, both ends included."""
        return [self.low + number * self.step for number in range(self.steps + 1)]

    def drawn(self) -> Markup:
        """Draw the labels of the ticks, below the rows."""
        text = "".join(
            f'<text x="{self.place(tick):.4g}%" y="11">{escape(self._label(tick))}</text>' for tick in self.ticks()
        )
        return Markup(f'<svg class="ticks" aria-hidden="true">{text}</svg>')  # noqa: S704 - drawn from numbers

    def _label(self, tick: float) -> str:
        return f"{round(100 * tick, 6):g} %" if self.unit == "1" else f"{round(tick, 10):.4g}"


def axis_of(target: TaskColumn) -> Axis:
    """Return the axis of all scores of a task column, with their intervals."""
    scored = [c for c in target.contenders if mean(c, target.primary) is not None]
    return axis_over([value for c in scored for value in ends_of(target, c)], target.unit)


def axis_over(values: Sequence[float], unit: str) -> Axis:
    """Return the axis over values; that of shares stays between 0 and 100 %."""
    low, high = min(values), max(values)
    if unit == "1" and low >= 0 and high <= 1:
        wide = max(high - low, 0.02)
    else:
        wide = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(wide / _MOST))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if _steps(low, high, factor * power) <= _MOST)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    while last - first < _FEWEST:
        first, last = first - 1, last + 1
    if unit == "1" and low >= 0 and high <= 1:
        first, last = max(first, 0), min(last, round(1 / step))
    return Axis(first * step, last * step, step, unit)


def _steps(low: float, high: float, step: float) -> int:
    return math.ceil(high / step - 1e-9) - math.floor(low / step + 1e-9)


def ends_of(target: TaskColumn, contender: Contender) -> list[float]:
    """Return the mean of the score, and the ends of its interval if it has one."""
    middle = mean(contender, target.primary)
    assert middle is not None
    found = interval_shown(target.answer, contender, target.primary)
    if found is None:
        return [middle]
    # Two seeds without others to inform them give intervals wider than any axis: show the range of the seeds.
    estimate = contender.quantities[target.primary].estimate
    if estimate is not None and estimate.n == 2 and not estimate.moderated:
        values = contender.quantities[target.primary].by_seed.values()
        return [middle, min(values), max(values)]
    return [middle, found.low, found.high]


def track(
    target: TaskColumn,
    contender: Contender,
    axis: Axis,
    look: Look,
    *,
    ring: bool = False,
    best: float | None = None,
) -> Markup:
    """Draw a score with its interval; the numbers are in the same row.

    Args:
        target: its task column.
        contender: the strategy.
        axis: the axis.
        look: of the strategy.
        ring: whether to draw a ring around it.
        best: another score to mark, that of the task's best.
    """
    middle, *ends = ends_of(target, contender)
    x = f"{axis.place(middle):.1f}%"
    line = (
        f'<line x1="{axis.place(min(ends)):.1f}%" x2="{axis.place(max(ends)):.1f}%" y1="{_MIDDLE}" y2="{_MIDDLE}"/>'
        if ends
        else ""
    )
    around = f'<circle cx="{x}" cy="{_MIDDLE}" r="8" class="ring"/>' if ring else ""
    if best is not None:
        at = f"{axis.place(best):.1f}%"
        line = f'<line x1="{at}" x2="{at}" y1="3" y2="15" class="best"/>{line}'
    mark = f'<use href="#m{look.marker}" x="{x}" y="{_MIDDLE}"/>'
    drawn = f'<svg class="bar k{look.colour}" aria-hidden="true">{line}{around}{mark}</svg>'
    return Markup(drawn)  # noqa: S704 - drawn from numbers


def tracks(target: TaskColumn, axis: Axis, looks: Mapping[str, Look]) -> Markup:
    """Draw all scores of a task column with their intervals on one axis, best at the top; grey ones are worse."""
    scored = [c for c in target.contenders if mean(c, target.primary) is not None]
    answer, lane = target.answer, min(_LANE, max(_THIN, _HIGH / len(scored)))
    drawn = []
    for number, contender in enumerate(scored):
        middle, *ends = ends_of(target, contender)
        x, y = f"{axis.place(middle):.1f}%", f"{lane * (number + 0.5):.1f}"
        line = (
            f'<line x1="{axis.place(min(ends)):.1f}%" x2="{axis.place(max(ends)):.1f}%" y1="{y}" y2="{y}"/>'
            if ends
            else ""
        )
        ring = f'<circle cx="{x}" cy="{y}" r="5.5" class="ring"/>' if contender.label == answer.pick else ""
        pale = " o" if answer.decided and contender.label not in answer.possible else ""
        title = f"<title>{escape(contender.label)}: {escape(score_text(middle, target.unit))}</title>"
        dot = f'<circle cx="{x}" cy="{y}" r="{min(3.0, 1 + lane / 2):.1f}"/>'
        drawn.append(f'<g class="k{looks[contender.label].colour}{pale}">{line}{ring}{dot}{title}</g>')
    best = f"; could be the best: {', '.join(answer.possible)}" if answer.decided else ""
    about = f"{target.primary.replace('_', ' ')} of {len(scored)} strategies on {target.label}{best}"
    open_tag = Markup('<svg class="tracks" height="{:.0f}" role="img" aria-label="{}">')
    tag = open_tag.format(lane * len(scored), about)
    return tag + Markup("".join(drawn) + "</svg>")  # noqa: S704 - drawn from numbers and escaped labels


def rank_bar(best: int, worst: int, of: int) -> Markup:
    """Draw the ranks that a strategy may have among `of`."""
    left, right = 100 * (best - 1) / of, 100 * worst / of
    drawn = f'<svg class="ranks" aria-hidden="true"><line x1="{left:.0f}%" x2="{right:.0f}%" y1="4" y2="4"/></svg>'
    return Markup(drawn)  # noqa: S704 - drawn from numbers
