"""Draw charts of labelled rows: a mean with its interval per row, the name above it, to fit on a phone."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from ftbench.reporting import step_range, step_text, step_unit, word_against

from .axes import Scale
from .charts import marks
from .figure import Figure, drawing, shortened
from .palette import Look, marker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ftbench.reporting import Contender, Ranking, TaskColumn
    from markupsafe import Markup

WIDTH = 340
_RIGHT, _ROW, _FOOT, _NAMED = 10, 19, 34, 118
_REACH, _LEAST = 4.0, 0.02


@dataclass(frozen=True)
class Row:
    """One row."""

    label: str
    word: str
    """Text at its right end."""
    look: Look
    mean: float
    low: float | None
    high: float | None
    dots: Sequence[float] = ()
    """Single values behind the mean."""
    pale: bool = False
    """Whether it is light grey until it is pointed at."""


@dataclass(frozen=True)
class Axis:
    """The axis shared by all rows."""

    scale: Scale
    label: str
    write: Callable[[float], str]
    """Writes a tick."""
    zero: float | None = None
    """Position of the reference line."""
    band: tuple[float, float] | None = None
    """A band around it."""
    ticks: Sequence[float] = field(default_factory=tuple)


def forest(target: TaskColumn, looks: Mapping[str, Look]) -> Figure | None:
    """Draw all paired differences to the baseline: one dot per seed, the mean with its interval, the equivalence band.

    None if there is nothing to compare.
    """
    compared = [c for c in target.contenders if c.against_baseline is not None]
    if not compared:
        return None
    marked = marks(target)
    rows = [_difference(c, looks[c.label], target, pale=c.label not in marked) for c in compared]
    # Outliers such as the untrained model are clipped to the edge, to leave room for the others.
    typical = sorted(abs(row.mean) for row in rows)[len(rows) // 2]
    unit = target.unit
    reach = max(_REACH * typical, _LEAST if unit == "1" else 0.0, 2 * target.margin) or 1.0
    ends = [value for row in rows if abs(row.mean) <= reach for value in (row.mean, row.low, row.high, *row.dots)]
    known = [value for value in ends if value is not None and abs(value) <= 2 * reach]
    scale = Scale.over([*known, -2 * target.margin, 2 * target.margin], _NAMED, WIDTH - _RIGHT)
    name = target.primary.replace("_", " ")
    axis = Axis(
        scale,
        f"difference of {name} to {target.baseline}, {step_unit(unit)}",
        lambda v: _tick(v, unit),
        0.0,
        (-target.margin, target.margin) if target.margin else None,
        scale.ticks(5),
    )
    margin = f"{100 * target.margin if unit == '1' else target.margin:g} {step_unit(unit)}"
    about = "Dots are seeds, marks their means with corrected intervals" + (
        f"; the band is the margin of equivalence, ± {margin}." if target.margin else "."
    )
    chart = _draw(rows, axis, f"{target.label}: against {target.baseline}")
    seeds = sorted({seed for c in compared for seed in c.against_by_seed})
    headings = (
        "strategy",
        f"difference, {step_unit(unit)}",
        "interval",
        "on new items",
        "verdict",
        "p, Holm",
        *(f"seed {seed}" for seed in seeds),
    )
    return Figure(
        f"{target.label}: against {target.baseline}",
        about,
        (("", chart),),
        headings,
        tuple(_numbers(c, seeds, target) for c in compared),
    )


def _tick(value: float, unit: str) -> str:
    return f"{100 * value if unit == '1' else value:+.4g}" if value else "0"


def _difference(contender: Contender, look: Look, target: TaskColumn, *, pale: bool) -> Row:
    found, known = contender.against_baseline, contender.against_interval
    assert found is not None
    dots = tuple(contender.against_by_seed.values()) if len(contender.against_by_seed) > 1 else ()
    return Row(
        contender.label,
        word_against(target, contender),
        look,
        found.estimate.mean,
        known.low if known else None,
        known.high if known else None,
        dots,
        pale=pale,
    )


def _numbers(contender: Contender, seeds: Sequence[int], target: TaskColumn) -> tuple[str, ...]:
    found, unit = contender.against_baseline, target.unit
    assert found is not None
    known, around = found.estimate, contender.against_interval
    interval = step_range(around.low, around.high, unit) if around else "–"
    beyond = found.new_items.interval if found.new_items else None
    p = contender.p_adjusted
    return (
        contender.label,
        step_text(known.mean, unit),
        interval,
        step_range(beyond.low, beyond.high, unit) if beyond else "–",
        word_against(target, contender),
        "–" if p is None else f"{p:.3f}" if p >= 0.001 else "< 0.001",
        *(
            step_text(contender.against_by_seed[seed], unit) if seed in contender.against_by_seed else "–"
            for seed in seeds
        ),
    )


def rank_chart(ranking: Ranking, looks: Mapping[str, Look]) -> Figure | None:
    """Draw mean ranks with their intervals, and the groups tied over tasks; None if there are no ranks."""
    if not ranking.entries:
        return None
    plain = Look(0, 0)
    named = {label.split(" · ")[0]: look for label, look in reversed(list(looks.items()))}
    rows = [
        Row(
            one.strategy,
            f"{one.rank:.1f}",
            named.get(one.strategy, plain),
            one.rank,
            one.interval.low,
            one.interval.high,
        )
        for one in ranking.entries
    ]
    last = len(rows)
    scale = Scale(0.7, last + 0.3, _NAMED, WIDTH - _RIGHT)
    axis = Axis(
        scale,
        "mean rank, 1 is best",
        lambda v: f"{v:g}",
        ticks=[float(rank) for rank in range(1, last + 1, max(1, last // 8))],
    )
    about = f"Mean rank over {len(ranking.tasks)} tasks, with its 95 % interval for other tasks and other seeds."
    chart = _draw(rows, axis, "Ranks over tasks")
    numbers = tuple(
        (
            one.strategy,
            f"{one.rank:.1f}",
            f"[{one.interval.low:.1f}, {one.interval.high:.1f}]",
            f"{one.scored} of {ranking.of}",
        )
        for one in ranking.entries
    )
    return Figure("Ranks over tasks", about, (("", chart),), ("strategy", "mean rank", "interval", "tasks"), numbers)


def _draw(rows: Sequence[Row], axis: Axis, title: str) -> Markup:
    """Draw rows with their names on the left, one line of text high."""
    height = _ROW * len(rows) + _FOOT
    base = height - _FOOT + 4
    parts = _grid(axis, base)
    for place, row in enumerate(rows):
        y = place * _ROW + 11
        kind = f"k{row.look.colour}" + " o" * row.pale
        name = f'<text x="{_NAMED - 8}" y="{y + 4}" class="e name">{escape(shortened(row.label, 18))}</text>'
        parts.append(f'<g class="{kind}">{name}{_marks(row, axis.scale, y)}<title>{escape(row.label)}</title></g>')
    middle = (_NAMED + WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{height - 3}" class="m">{escape(shortened(axis.label, 44))}</text>')
    return drawing("".join(parts), WIDTH, height, title)


def _marks(row: Row, scale: Scale, y: float) -> str:
    """Draw a mean with its interval and the single values behind it, in the colour of the group."""
    x, parts = scale.place(row.mean), []
    if row.low is not None and row.high is not None:
        parts.append(f'<path d="M{scale.place(row.low):.0f} {y}H{scale.place(row.high):.0f}" class="thick"/>')
    seeds = "".join(f"M{scale.place(dot):.0f} {y}h0" for dot in row.dots if scale.low <= dot <= scale.high)
    parts += [f'<path d="{seeds}" class="dots"/>'] * bool(seeds)
    if scale.low <= row.mean <= scale.high:
        return "".join(parts) + marker(row.look, x, y, inherits=True)
    way = -1 if row.mean < scale.low else 1
    return "".join(parts) + f'<path d="M{x + 4 * way:.0f} {y}l{-8 * way} -4.5v9z"/>'


def _grid(axis: Axis, base: float) -> list[str]:
    parts = []
    if axis.band:
        a, b = axis.scale.place(axis.band[0]), axis.scale.place(axis.band[1])
        parts.append(f'<rect x="{a:.0f}" y="0" width="{b - a:.0f}" height="{base}" class="band"/>')
    for tick in axis.ticks:
        x = axis.scale.place(tick)
        parts.append(
            f'<path d="M{x:.0f} 0V{base}" class="grid"/>'
            f'<text x="{x:.0f}" y="{base + 12}" class="m">{axis.write(tick)}</text>'
        )
    if axis.zero is not None:
        parts.append(f'<path d="M{axis.scale.place(axis.zero):.0f} 0V{base}" class="zeroline"/>')
    return parts
