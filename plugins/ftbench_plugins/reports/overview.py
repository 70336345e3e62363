"""Compute the matrix of strategies and tasks: each score, coloured by its difference to the task's best."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ftbench.reporting import PREFERENCES, score_text

from .cards import picks_of, state_of
from .charts import mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Summary
    from ftbench.reporting import Preference, TaskColumn

    from .palette import Look

STEPS = (0.01, 0.03, 0.1, 0.2)
"""Differences to the best at which the colour fades: absolute for shares, otherwise relative to the best score."""


class Cell(NamedTuple):
    """The score of a strategy on a task."""

    text: str
    depth: int
    """0 for the best and those close to it, one more for each of `STEPS`."""
    possible: bool
    """Whether it could be the best."""
    picked: tuple[Preference, ...]
    """Kinds of cost that make it the one to take."""


class Line(NamedTuple):
    """One strategy."""

    label: str
    look: Look
    cells: tuple[Cell | None, ...]


class Overview(NamedTuple):
    """A line per strategy, a column per task."""

    tasks: tuple[str, ...]
    lines: tuple[Line, ...]


def overview(summary: Summary, looks: Mapping[str, Look], kinds: Sequence[Preference]) -> Overview | None:
    """Return the matrix of all scores, those first that could be the best on most tasks; None for a single task."""
    if len(summary.targets) < 2:
        return None
    picks = {target.label: picks_of(target, kinds or PREFERENCES[:1]) for target in summary.targets}
    lines = [
        Line(label, looks[label], tuple(_cell(target, label, picks[target.label]) for target in summary.targets))
        for label in summary.strategies
    ]
    lines = [line for line in lines if any(line.cells)]
    lines.sort(key=lambda line: -sum(cell.possible for cell in line.cells if cell))
    return Overview(tuple(target.label for target in summary.targets), tuple(lines))


def _cell(target: TaskColumn, label: str, picks: Mapping[Preference, str]) -> Cell | None:
    contender = next((c for c in target.contenders if c.label == label), None)
    value = mean(contender, target.primary) if contender else None
    best = mean(target.contenders[0], target.primary)
    if contender is None or value is None or best is None:
        return None
    whole = 1.0 if target.unit == "1" else abs(best)
    depth = sum(abs(best - value) >= step * whole for step in STEPS)
    text = f"{100 * value:.1f}" if target.unit == "1" else score_text(value, target.unit)
    picked = tuple(kind for kind, taken in picks.items() if taken == label)
    return Cell(text, depth, state_of(target, label) == "in", picked)
