"""How trials went: their phases, how each ended, and in what their configurations differ."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ftbench import quantity

from .board import STATUS
from .figure import Figure, drawing, shortened
from .palette import LIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftbench import Summary, Target, TrialLine

_WIDTH, _ROW = 340, 30
COMPARED = 24
"""Contenders whose configurations stand side by side."""


def phases(target: Target, order: Sequence[str]) -> Figure | None:
    """Draw where the time of everyone's trials went, the mean over seeds; None where nothing is known.

    Args:
        target: a task.
        order: all phases of the run, so that one has the same colour on every task.
    """
    timed = [c for c in target.contenders if c.phases]
    if not timed:
        return None
    names = [name for name in order if any(name in c.phases for c in timed)]
    longest = max(sum(found.mean for found in c.phases.values()) for c in timed)
    parts = []
    for place, c in enumerate(timed):
        x, top = 0.0, place * _ROW
        parts.append(f'<text x="0" y="{top + 11}" class="label">{escape(shortened(c.label, 40))}</text>')
        for name, found in c.phases.items():
            wide = found.mean / longest * _WIDTH if longest else 0.0
            if wide >= 0.5:
                parts.append(f'<path d="M{x:.0f} {top + 20}h{max(1.0, wide):.0f}" class="{_paint(name, order)}"/>')
            x += wide
    legend = _legend(names, order, len(timed) * _ROW + 8)
    height = len(timed) * _ROW + 14 + 14 * ((len(names) + 2) // 3)
    about = "Seconds of each phase of a trial, the mean over seeds; the longest trial takes the whole width."
    rows = tuple((c.label, *(quantity(c.phases[name].mean, "s") if name in c.phases else "" for name in names)) for c in timed)
    chart = drawing("".join(parts) + legend, _WIDTH, height, f"{target.label}: {about}")
    return Figure(f"{target.label}: where time went", about, (("", chart),), ("strategy", *names), rows)


def _legend(names: Sequence[str], order: Sequence[str], top: float) -> str:
    parts = []
    for number, name in enumerate(names):
        x, y = number % 3 * (_WIDTH / 3), top + number // 3 * 14
        parts.append(
            f'<path d="M{x:.0f} {y + 4.5}h9" class="{_paint(name, order)}"/>'
            f'<text x="{x + 13:.1f}" y="{y + 8.5}">{escape(shortened(name, 18))}</text>'
        )
    return "".join(parts)


def _paint(name: str, order: Sequence[str]) -> str:
    place = order.index(name)
    return f"l{place % len(LIGHT)} bar" + (" pale" if place >= len(LIGHT) else "")


def trial_table(summary: Summary, target: Target) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """List the trials of a target: how they ended, after how many attempts, how long they took."""
    rows: list[tuple[str, ...]] = [
        (
            one.contender, str(one.seed), STATUS.get(one.status, one.status), _attempts(one),
            quantity(one.seconds, "s") if one.seconds is not None else "–", one.id,
        )
        for one in summary.trials
        if one.target == target.label
    ]  # fmt: skip
    return ("strategy", "seed", "status", "attempts", "wall time", "trial"), rows


def _attempts(one: TrialLine) -> str:
    """Count the attempts, and tell how those before the last ended."""
    told = "; ".join(f"{a.number} {STATUS.get(a.status, a.status)}: {a.message or a.kind}" for a in one.earlier)
    return f"{one.attempts} ({told})" if told else str(one.attempts)


def settings_table(target: Target) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """List the settings in which the contenders of a target differ, a column each; what all share is left out."""
    compared = target.contenders[:COMPARED]
    names = list(dict.fromkeys(name for c in compared for name in c.settings))
    rows: list[tuple[str, ...]] = [(name, *(c.settings.get(name, "") for c in compared)) for name in names]
    return ("setting", *(c.label for c in compared)), [row for row in rows if len(set(row[1:])) > 1]
