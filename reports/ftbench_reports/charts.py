"""Charts as inline SVG: static, complete without a script, every one with a title and a description."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ftbench import count, percent, quantity, share_interval

from .axes import Scale
from .palette import Look, marker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Contender, Estimate, Target

WIDTH, HEIGHT = 330, 240
LEFT, RIGHT, TOP, BOTTOM = 40, 14, 18, 38
_LOG = ("trainable_parameters", "stored_bytes")


def interval_bar(value: Estimate, scale: Scale, look: Look) -> str:
    """Draw a mean with its interval, 120 units wide, for a table cell."""
    x = scale.place(value.mean)
    whisker = ""
    if value.low is not None and value.high is not None:
        a, b = scale.place(value.low), scale.place(value.high)
        whisker = f'<path d="M{a:.1f} 9H{b:.1f}M{a:.1f} 5v8M{b:.1f} 5v8" stroke="{look.colour}" stroke-width="1.5" fill="none"/>'
    return (
        f'<svg class="bar" viewBox="0 0 120 18" width="120" height="18" role="img" aria-label="{escape(share_interval(value))}">'
        f'<path d="M0 9H120" class="rule"/>{whisker}{marker(look, x, 9, 4)}</svg>'
    )


def pareto_chart(target: Target, cost: str, looks: Mapping[str, Look]) -> str:
    """Draw quality against one cost, with intervals both ways and the front; empty where nothing was measured."""
    drawn = [c for c in target.contenders if _mean(c, target.primary) is not None and _mean(c, cost) is not None]
    # A logarithm has no place for nothing: the untrained model, which trains nothing, is in the table only.
    drawn = [c for c in drawn if cost not in _LOG or min(_span(c, cost)) > 0]
    if not drawn:
        return ""
    xs = [value for c in drawn for value in _span(c, cost)]
    ys = [value for c in drawn for value in _span(c, target.primary, widest=1.0)]
    across = Scale.over(xs, LEFT, WIDTH - RIGHT, log=cost in _LOG)
    up = Scale.over(ys, HEIGHT - BOTTOM, TOP)
    unit = drawn[0].quantities[cost].unit
    parts = [_frame(across, up, unit, f"{cost.replace('_', ' ')} ({_better(drawn[0], cost)})", target.primary)]
    front = sorted((c for c in drawn if cost in c.fronts), key=lambda c: _mean(c, cost) or 0)
    if len(front) > 1:
        corners = " ".join(f"{across.place(_mean(c, cost) or 0):.1f},{up.place(_mean(c, target.primary) or 0):.1f}" for c in front)
        parts.append(f'<polyline points="{corners}" class="front"/>')
    for c in drawn:
        look = looks[c.label]
        x, y = across.place(_mean(c, cost) or 0), up.place(_mean(c, target.primary) or 0)
        a, b = (across.place(v) for v in (min(_span(c, cost)), max(_span(c, cost))))
        low, high = (up.place(v) for v in (min(_span(c, target.primary, 1.0)), max(_span(c, target.primary, 1.0))))
        parts.append(f'<path d="M{a:.1f} {y:.1f}H{b:.1f}M{x:.1f} {low:.1f}V{high:.1f}" stroke="{look.colour}" class="whisker"/>')
        title = f"{c.label}: {percent(_mean(c, target.primary) or 0)}, {quantity(_mean(c, cost) or 0, unit)}"
        parts.append(f"<g>{marker(look, x, y)}<title>{escape(title)}</title></g>")
    best = ", ".join(c.label for c in front)
    about = f"{target.label}: {target.primary} against {cost.replace('_', ' ')}. On the front: {best}."
    return _svg("".join(parts), about)


def loss_chart(target: Target, task: str, looks: Mapping[str, Look]) -> str:
    """Draw the training loss over the steps: mean, and the range over seeds; empty where nothing was trained."""
    drawn = [c for c in target.contenders if c.learning.get(task)]
    if not drawn:
        return ""
    steps = [point.step for c in drawn for point in c.learning[task]]
    losses = [value for c in drawn for point in c.learning[task] for value in (point.least, point.most)]
    across = Scale(0, max(steps), LEFT, WIDTH - RIGHT)
    up = Scale.over(losses, HEIGHT - BOTTOM, TOP)
    parts = [_frame(across, up, "steps", "optimizer steps", "")]
    for c in drawn:
        colour, points = looks[c.label].colour, c.learning[task]
        upper = " ".join(f"{across.place(p.step):.1f},{up.place(p.most):.1f}" for p in points)
        lower = " ".join(f"{across.place(p.step):.1f},{up.place(p.least):.1f}" for p in reversed(points))
        middle = " ".join(f"{across.place(p.step):.1f},{up.place(p.mean):.1f}" for p in points)
        parts.append(f'<polygon points="{upper} {lower}" fill="{colour}" class="range"/>')
        parts.append(f'<g><polyline points="{middle}" stroke="{colour}" class="curve"/><title>{escape(c.label)}</title></g>')
        parts.append(marker(looks[c.label], across.place(points[-1].step), up.place(points[-1].mean), 3))
    return _svg("".join(parts), f"Training loss of {task}, {len(drawn)} strategies.")


def swatch(look: Look) -> str:
    """Draw a strategy's marker for a legend or a table."""
    return f'<svg class="swatch" viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">{marker(look, 7, 7, 4.5)}</svg>'


def _svg(body: str, about: str) -> str:
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(about)}">{body}</svg>'


def _frame(across: Scale, up: Scale, unit: str, label: str, share: str) -> str:
    """Draw grid, ticks and labels; `share` names what the upright axis counts in per cent, if it does."""
    parts = []
    for tick in up.ticks():
        y = up.place(tick)
        text = f"{100 * tick:g}" if share else f"{tick:g}"
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="grid"/><text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{text}</text>'
        )
    for tick in across.ticks(step_unit=2**20 if unit == "B" else 1):
        x = across.place(tick)
        text = count(tick) if unit in ("parameters", "steps") else quantity(tick, unit)
        parts.append(
            f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" class="grid"/><text x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{escape(text)}</text>'
        )
    if share:
        parts.append(f'<text x="{LEFT}" y="{TOP - 4}" class="label">{escape(share.replace("_", " "))}, %</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle" class="label">{escape(label)}</text>')
    return "".join(parts)


def _better(contender: Contender, name: str) -> str:
    return "more is better" if contender.quantities[name].direction == "higher" else "less is better"


def _mean(contender: Contender, name: str) -> float | None:
    found = contender.quantities.get(name)
    return found.estimate.mean if found and found.estimate else None


def _span(contender: Contender, name: str, widest: float | None = None) -> Sequence[float]:
    """Give mean and interval; ends that a quantity cannot reach are cut."""
    found = contender.quantities[name].estimate
    assert found is not None
    if found.low is None or found.high is None:
        return (found.mean,)
    low, high = max(0.0, found.low), found.high if widest is None else min(widest, found.high)
    # Two seeds give intervals far wider than the page: the seeds' own range is drawn there.
    if found.n == 2:
        values = list(contender.quantities[name].by_seed.values())
        low, high = min(values), max(values)
    return (found.mean, low, high)
