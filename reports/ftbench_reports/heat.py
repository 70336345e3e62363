"""Compute the heat map of differences to the baseline, tasks against strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftbench.reporting import step_text

if TYPE_CHECKING:
    from ftbench import Summary
    from ftbench.reporting import Contender, TaskColumn

STEPS = (0.01, 0.03, 0.1)
"""Differences at which the colour deepens: absolute for shares, otherwise relative to the baseline's score."""


@dataclass(frozen=True)
class Shade:
    """One cell."""

    text: str
    kind: str
    """Its CSS class: direction and size; `unsure` if no difference was shown."""
    title: str
    word: str
    """Its verdict."""


@dataclass(frozen=True)
class HeatMap:
    """A row per strategy, a column per task."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Shade | None, ...]], ...]


def heat_map(summary: Summary) -> HeatMap | None:
    """Return all differences to each task's baseline; None for a single task, whose leaderboard has them."""
    columns = [
        (target, backbone)
        for target in summary.targets
        for backbone in dict.fromkeys(c.backbone for c in target.contenders)
        if target.baseline is not None
    ]
    if len(columns) < 2:
        return None
    several = {target.label for target in summary.targets if len({c.backbone for c in target.contenders}) > 1}
    names = tuple(
        f"{target.label} · {backbone}" if target.label in several else target.label for target, backbone in columns
    )
    strategies = dict.fromkeys(
        c.strategy for label in summary.strategies for t in summary.targets for c in t.contenders if c.label == label
    )
    rows = []
    for strategy in strategies:
        cells = tuple(
            next(
                (_shade(c, target) for c in target.contenders if (c.strategy, c.backbone) == (strategy, backbone)), None
            )
            for target, backbone in columns
        )
        rows.append((strategy, cells))
    return HeatMap(names, tuple(rows))


def _shade(contender: Contender, target: TaskColumn) -> Shade | None:
    if contender.label == target.baseline:
        return Shade("0", "base", f"the baseline of {target.label}", "baseline")
    found = contender.against_baseline
    if found is None:
        return None
    gain = -found.estimate.mean if contender.quantities[target.primary].direction == "lower" else found.estimate.mean
    depth = sum(abs(gain) >= least * _whole(target) for least in STEPS)
    way = f"{'up' if gain > 0 else 'down'}{depth}" if gain else "base"
    unsure = "" if found.verdict in ("better", "worse") else " unsure"
    return Shade(
        step_text(found.estimate.mean, target.unit),
        way + unsure,
        f"{contender.label}, {target.label}: {found.verdict}",
        found.verdict,
    )


def _whole(target: TaskColumn) -> float:
    """Return the scale of differences: 1 for shares, otherwise the baseline's score."""
    if target.unit == "1":
        return 1.0
    found = next(c.quantities[target.primary].estimate for c in target.contenders if c.label == target.baseline)
    return abs(found.mean) if found else 1.0
