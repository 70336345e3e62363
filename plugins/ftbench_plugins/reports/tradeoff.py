"""Draw quality against one cost: the front shaded, and only the names that matter."""

from __future__ import annotations

import itertools
import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from ftbench.reporting import score_text

from .axes import Scale
from .charts import MEMORY, axis_unit, lost_to_memory, mean, tick_text
from .figure import drawing, shortened
from .palette import marker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench.reporting import TaskColumn
    from markupsafe import Markup

    from .palette import Look

WIDTH, HEIGHT = 300, 270
_LEFT, _RIGHT, _TOP, _BOTTOM, _WALL, _LETTER = 36, 12, 22, 40, 22, 6.6
_WORDS = {"peak_tensor_bytes": "peak memory of a training step", "peak_allocated_memory": "peak device memory"}
"""What an axis says instead of the name of the measurement."""


class _Point(NamedTuple):
    label: str
    x: float
    y: float
    cost: float
    gain: float
    score: str
    """The score with its unit."""


def tradeoff(target: TaskColumn, cost: str, looks: Mapping[str, Look], pick: str) -> Markup | None:
    """Draw the scores of a task column over the logarithm of a cost; None if it has no cost above zero.

    Args:
        target: the task column.
        cost: name of the measurement.
        looks: of the strategies.
        pick: label of the one to take at this cost.
    """
    drawn = [
        (c, quality, spent)
        for c in target.contenders
        if (quality := mean(c, target.primary)) is not None and (spent := mean(c, cost) or 0.0) > 0
    ]
    if not drawn:
        return None
    lost = lost_to_memory(target) if cost in MEMORY else []
    end = WIDTH - _RIGHT - (_WALL + 6 if lost else 0)
    across = Scale.over([spent for _, _, spent in drawn], _LEFT, end, log=True)
    up = Scale.over([quality for _, quality, _ in drawn], HEIGHT - _BOTTOM, _TOP)
    sign = -1 if drawn[0][0].quantities[target.primary].direction == "lower" else 1
    rising = drawn[0][0].quantities[cost].direction != "higher"
    points = [
        _Point(
            c.label,
            across.place(spent),
            up.place(quality),
            spent if rising else -spent,
            sign * quality,
            score_text(quality, target.unit),
        )
        for c, quality, spent in drawn
    ]
    front = _front(points)
    named = list(dict.fromkeys((pick, target.answer.leader, target.baseline or "")))
    unit = drawn[0][0].quantities[cost].unit
    possible = {pick, *target.answer.possible} if target.answer.decided else {p.label for p in points}
    body = (
        _shade(front, end if rising else _LEFT)
        + _frame(target, across, up, unit, cost)
        + _marks(points, looks, possible)
        + _names([p for label in named for p in points if p.label == label], points, looks, end)
        + _wall(lost)
    )
    about = (
        f"{target.label}: {target.primary.replace('_', ' ')} against {cost.replace('_', ' ')}. No cheaper strategy "
        f"scores higher than {', '.join(p.label for p in front)}."
    )
    if lost:
        about += f" Out of memory: {', '.join(lost)}."
    return drawing(body, WIDTH, HEIGHT, about)


def _front(points: Sequence[_Point]) -> list[_Point]:
    """Return the points that nothing cheaper beats, the cheapest first."""
    front: list[_Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.gain)):
        if not front or point.gain > front[-1].gain:
            front.append(point)
    return front


def _shade(front: Sequence[_Point], end: float) -> str:
    """Shade what the front makes needless: a higher cost or a lower score."""
    floor, (first, *others) = HEIGHT - _BOTTOM, front
    steps = "".join(f"H{p.x:.0f}V{p.y:.0f}" for p in others)
    return f'<path d="M{first.x:.0f} {floor}V{first.y:.0f}{steps}H{end:.0f}V{floor}z" class="shade"/>'


def _frame(target: TaskColumn, across: Scale, up: Scale, unit: str, cost: str) -> str:
    share = target.unit == "1"
    floor = HEIGHT - _BOTTOM
    grid = "".join(f"M{_LEFT} {up.place(t):.0f}H{across.end:.0f}" for t in up.ticks())
    left = "".join(
        f'<text x="{_LEFT - 6}" y="{up.place(t) + 3.5:.0f}">{round(100 * t, 6) if share else t:g}</text>'
        for t in up.ticks()
    )
    below, free = "", -math.inf
    for tick in _log_ticks(across, unit):
        x, text = across.place(tick), tick_text(tick, unit).replace(".0 ", " ")
        half = 3 * len(text)
        at = min(max(x, half), WIDTH - 2 - half)
        if at - half > free:
            below += f'<path d="M{x:.0f} {floor}v4" class="axis"/><text x="{at:.0f}" y="{floor + 15}">{text}</text>'
            free = at + half + 4
    name = f"{target.primary.replace('_', ' ')}, {'%' if share else target.unit}"
    label = f"{_WORDS.get(cost, cost.replace('_', ' '))}{axis_unit(unit)} (log)"
    return (
        f'<path d="{grid}" class="grid"/><path d="M{_LEFT} {floor}H{across.end:.0f}" class="axis"/>'
        f'<text x="0" y="11">{escape(name)}</text><g class="e">{left}</g><g class="m">{below}'
        f'<text x="{(_LEFT + across.end) / 2:.0f}" y="{HEIGHT - 6}">{escape(label)}</text></g>'
    )


def _log_ticks(across: Scale, unit: str) -> list[float]:
    """Return round values: powers of two for bytes, otherwise those of ten with steps in between if there are few."""
    if unit == "B":
        first, last = math.ceil(math.log2(across.low)), math.floor(math.log2(across.high))
        powers = [2.0**power for power in range(first, last + 1)]
        return powers[:: max(1, -(-len(powers) // 4))] or [math.sqrt(across.low * across.high)]
    found = across.ticks(4)
    return found if len(found) <= 5 else found[:: -(-len(found) // 4)]


def _marks(points: Sequence[_Point], looks: Mapping[str, Look], possible: set[str]) -> str:
    """Draw the others first, so that those that could be the best are on top."""
    ordered = sorted(points, key=lambda p: p.label in possible)
    return "".join(
        f'<g class="k{looks[p.label].colour}{"" if p.label in possible else " o"}">'
        f"{marker(looks[p.label], p.x, p.y, inherits=True)}<title>{escape(p.label)}: {escape(p.score)}</title></g>"
        for p in ordered
    )


def _names(named: Sequence[_Point], points: Sequence[_Point], looks: Mapping[str, Look], end: float) -> str:
    """Write names next to their marks, in a free place if there is one."""
    taken = [(p.x - 5, p.y - 5, p.x + 5, p.y + 5) for p in points]
    parts = []
    for p in named:
        text = shortened(p.label, 22)
        wide = _LETTER * len(text)
        spots = [
            (p.x + dx, p.y + dy, dx < 0)
            for dy, dx in itertools.product((4, -8, 17, -20, 29), (9, -9))
            if (p.x + dx + wide < end + _RIGHT if dx > 0 else p.x + dx - wide > _LEFT)
            and _TOP - 14 < p.y + dy < HEIGHT - _BOTTOM - 2
        ]
        boxes = {s: (s[0] - wide if s[2] else s[0], s[1] - 10, s[0] if s[2] else s[0] + wide, s[1] + 3) for s in spots}
        spot = min(boxes, key=lambda s: sum(_overlap(boxes[s], other) for other in taken), default=None)
        if spot is None:
            continue
        taken.append(boxes[spot])
        side = ' text-anchor="end"' if spot[2] else ""
        parts.append(
            f'<text x="{spot[0]:.0f}" y="{spot[1]:.0f}"{side} class="name a{looks[p.label].colour}">'
            f"{escape(text)}</text>"
        )
    return "".join(parts)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide * high if wide > 0 and high > 0 else 0.0


def _wall(lost: Sequence[str]) -> str:
    """Draw a wall at the end of the axis, behind it those that ran out of memory."""
    if not lost:
        return ""
    x = WIDTH - _RIGHT - _WALL
    return (
        f'<g><rect x="{x}" y="{_TOP}" width="{_WALL}" height="{HEIGHT - _TOP - _BOTTOM}" class="wall"/>'
        f'<text transform="translate({x + 15} {HEIGHT - _BOTTOM - 8}) rotate(-90)" class="halo">out of memory: '
        f"{escape(shortened(', '.join(lost), 20))}</text><title>{escape(', '.join(lost))}</title></g>"
    )
