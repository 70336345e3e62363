"""Draw static charts as inline SVG, each with a title, a sentence and its numbers; they need no JavaScript."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from ftbench.reporting import count, quantity
from markupsafe import Markup

from .axes import Scale
from .figure import Figure, drawing, path, shortened, spread
from .palette import Look, marker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench.reporting import Contender, LossPoint, TaskColumn

WIDTH, HEIGHT = 340, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 16, 20, 42
MEMORY = ("peak_allocated_memory", "peak_device_memory", "peak_tensor_bytes", "peak_host_memory")
"""Costs whose axis ends with a wall of contenders that ran out of memory."""
SHORT = ("1", "B", "s", "FLOP", "Hz", "J", "W")
"""Units short enough to write at each tick."""
_POINTS, _FEW_POINTS, _ROWS = 18, 10, 6
_NAMES, _FEW = 92, 5
"""Room for the names at the ends of lines; number of strategies up to which all are drawn in colour."""


def mean(contender: Contender, name: str) -> float | None:
    """Return the mean of a measurement; None if it was not taken."""
    found = contender.quantities.get(name)
    return found.estimate.mean if found and found.estimate else None


def frame(across: Scale, up: Scale, unit: str, label: str, y_label: str = "", *, share: bool = False) -> str:
    """Draw grid, ticks and labels; `y_label` names the vertical axis, which is in per cent if it is a `share`."""
    grid = "".join(f"M{LEFT} {up.place(tick):.0f}H{WIDTH - RIGHT}" for tick in up.ticks())
    ticks = "".join(
        f'<text x="{LEFT - 6}" y="{up.place(tick) + 3.5:.0f}">{100 * tick if share else tick:g}</text>'
        for tick in up.ticks()
    )
    named = (
        f'<text x="{LEFT}" y="{TOP - 7}" class="label">{escape(y_label.replace("_", " "))}</text>' if y_label else ""
    )
    x_axis = horizontal_axis(across, unit, label)
    return f'<path d="{grid}" class="grid"/><g class="e">{ticks}</g>{named}<g class="m">{x_axis}</g>'


def horizontal_axis(across: Scale, unit: str, label: str) -> str:
    """Draw the ticks and the label of the axis below a chart, with their part of the grid."""
    grid, ticks, free = "", "", -math.inf
    for tick in across.ticks(step_unit=2**20 if unit == "B" else 1):
        x, text = across.place(tick), tick_text(tick, unit)
        half = 2.9 * len(text)
        # Move a label near the edge inside; leave out one that would touch the last, but draw its line.
        at = min(x, WIDTH - 2 - half)
        grid += f"M{x:.0f} {TOP}V{HEIGHT - BOTTOM}"
        if at - half > free:
            ticks += f'<text x="{at:.0f}" y="{HEIGHT - BOTTOM + 14}">{escape(text)}</text>'
            free = at + half + 3
    named = f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 6}" class="label">{escape(label)}</text>'
    return f'<path d="{grid}" class="grid"/>{ticks}{named}'


def tick_text(value: float, unit: str) -> str:
    """Format a tick; a unit that is too long for ticks is written at the axis."""
    if unit in ("parameters", "steps"):
        return count(value)
    return quantity(value, unit) if unit in SHORT else f"{value:,.4g}" if value < 1e4 else count(value)


def axis_unit(unit: str) -> str:
    """Return the unit to write at an axis; empty if the ticks have it."""
    return "" if unit in SHORT or unit in ("parameters", "steps", "1") else f", {unit}"


def lost_to_memory(target: TaskColumn) -> list[str]:
    """Return the labels of contenders without a score that ran out of memory."""
    return [c.label for c in target.contenders if c.statuses.get("oom") and mean(c, target.primary) is None]


def curves(target: TaskColumn, task: str, looks: Mapping[str, Look]) -> Figure | None:
    """Draw the training loss over the steps: mean, and range over seeds; None if nothing was trained.

    The script can redraw the means over seconds of training, from the positions in the `data-x` of each line.
    """
    # The marked ones are drawn last, on top of the others.
    marked = marks(target)
    drawn = sorted((c for c in target.contenders if c.learning.get(task)), key=lambda c: c.label in marked)
    if not drawn:
        return None
    taken = {c.label: _thinned(c.learning[task], _POINTS if c.label in marked else _FEW_POINTS) for c in drawn}
    up = Scale.over(_extent(taken, marked), HEIGHT - BOTTOM, TOP)
    unit = _loss_unit(target, task)
    about = f"Mean over seeds, shaded from minimum to maximum, in {unit}."
    end = WIDTH - _NAMES
    steps_axis = Scale(0, max(c.learning[task][-1].step for c in drawn), LEFT, end)
    seconds_axis = Scale(0, max(p.seconds for points in taken.values() for p in points), LEFT, end)
    parts = [
        frame(steps_axis, up, "steps", "optimizer steps"),
        f'<g class="m" hidden>{horizontal_axis(seconds_axis, "s", "seconds of training")}</g>',
    ]
    for c in drawn:
        if c.label not in marked:
            continue
        places = [(steps_axis.place(p.step), up.place(p.most), up.place(p.least)) for p in taken[c.label]]
        around = path([*((x, y) for x, y, _ in places), *((x, y) for x, _, y in reversed(places))], digits=0)
        parts.append(f'<path d="{around}z" class="range a{looks[c.label].colour}"/>')
    for c in drawn:
        elsewhere = [f"{seconds_axis.place(p.seconds):.0f}" for p in taken[c.label]]
        parts.append(
            line(
                [(steps_axis.place(p.step), up.place(p.mean)) for p in taken[c.label]],
                looks[c.label],
                c.label,
                elsewhere,
                pale=c.label not in marked,
            )
        )
    last = {c.label: up.place(taken[c.label][-1].mean) for c in drawn if c.label in marked}
    parts.append(end_names(last, looks, end + 8))
    steps = sorted({p.step for c in drawn for p in _thinned(c.learning[task], _ROWS)})
    by_step = {c.label: {p.step: p for p in c.learning[task]} for c in drawn}
    rows = tuple(
        (
            f"{step:g}",
            *(
                f"{p.mean:.3f} ({p.least:.3f} to {p.most:.3f})" if (p := by_step[c.label].get(step)) else ""
                for c in drawn
            ),
        )
        for step in steps
    )
    title = f"{task}, in {target.label}: training loss" if target.is_sequence else f"{task}: training loss"
    chart = drawing("".join(parts), WIDTH, HEIGHT, title)
    return Figure(title, about, (("", chart),), ("step", *(c.label for c in drawn)), rows)


def _extent(taken: Mapping[str, Sequence[LossPoint]], marked: Sequence[str]) -> list[float]:
    """Return the losses that the axis covers: all of the marked lines, and the others up to twice their start."""
    inside = [value for label in marked if label in taken for p in taken[label] for value in (p.least, p.most)]
    most = max([2 * points[0].mean for points in taken.values()] + inside)
    return [*inside, *(min(p.mean, most) for points in taken.values() for p in points)]


def marks(target: TaskColumn) -> list[str]:
    """Return the labels drawn in colour: the pick, the leader and the baseline; all if there are few."""
    if len(target.contenders) <= _FEW:
        return [c.label for c in target.contenders]
    return list(dict.fromkeys(filter(None, (target.answer.pick, target.answer.leader, target.baseline))))


def end_names(heights: Mapping[str, float], looks: Mapping[str, Look], x: float) -> str:
    """Write names at the ends of lines, at least a line of text apart.

    Args:
        heights: label → position of the end of its line.
        looks: of the strategies.
        x: where the names begin.
    """
    ordered = sorted(heights, key=lambda label: heights[label])
    places = spread([heights[label] for label in ordered], 12)
    # Names that were pushed below the chart push the others up instead.
    over = max(0.0, places[-1] - (HEIGHT - BOTTOM)) if places else 0.0
    return "".join(
        f'<text x="{x:.0f}" y="{y - over + 3.5:.0f}" class="name a{looks[label].colour}">'
        f"{escape(shortened(label, 13))}</text>"
        for label, y in zip(ordered, places, strict=True)
    )


def line(
    places: Sequence[tuple[float, float]],
    look: Look,
    label: str,
    elsewhere: Sequence[str] = (),
    *,
    pale: bool = False,
) -> str:
    """Draw a line through places, with the marker of its look at the end.

    Args:
        places: shape [n, 2].
        look: of its strategy.
        label: its name.
        elsewhere: positions of the same points on another horizontal axis.
        pale: whether it is light grey until it is pointed at.
    """
    dashed = look.line.partition(" ")[2]
    kept = f' data-x="{" ".join(elsewhere)}"' if elsewhere else ""
    return (
        f'<g class="k{look.colour}{" o" * pale}"><path d="{path(places)}" class="{f"curve {dashed}".strip()}"{kept}/>'
        f"{marker(look, *places[-1], inherits=True)}<title>{escape(label)}</title></g>"
    )


def swatch(look: Look) -> Markup:
    """Draw a strategy's marker for a legend or a table."""
    swatch = f'<svg class="swatch" aria-hidden="true">{marker(look, 7, 7)}</svg>'
    return Markup(swatch)  # noqa: S704 - drawn from numbers


def _thinned(points: Sequence[LossPoint], most: int) -> Sequence[LossPoint]:
    """Drop points between the first and the last until there are at most `most`."""
    step = max(1, -(-(len(points) - 1) // max(1, most - 1)))
    return [*points[:-1:step], points[-1]] if len(points) > 1 else points


def _loss_unit(target: TaskColumn, task: str) -> str:
    """Return the unit of a task's loss, as in its test scores."""
    readings = ((contender.by_task.get(task) or contender.quantities).get("loss") for contender in target.contenders)
    return next((reading.unit for reading in readings if reading is not None), "nat")
