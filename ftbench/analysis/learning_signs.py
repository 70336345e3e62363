"""Signs of how learning went: loss that still fell at the end, that rose, and seeds that diverged."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from .contender import LearningSign
from .task_column import grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..records.record import Curve, Record
    from .contender import SignKind
    from .task_column import TaskColumn

STILL_FALLS = 0.02
"""The validation loss still falls if its last step is the lowest, by this share of the loss before it."""
RISES = 0.1
"""The training loss rises if its last quarter is above the lowest quarter, by this share of it."""
_FEWEST_VALIDATIONS, _FEWEST_POINTS = 3, 8


def with_signs(target: TaskColumn, records: Sequence[Record]) -> TaskColumn:
    """Return a task column whose contenders have the signs of their records; those of most seeds count.

    Args:
        target: the task column.
        records: all its records.
    """
    groups = grouped(records)
    contenders = tuple(replace(c, signs=tuple(signs_of(groups.get(c.label, ())))) for c in target.contenders)
    return replace(target, contenders=contenders)


def signs_of(records: Sequence[Record]) -> list[LearningSign]:
    """Return the signs of one contender, from the records of all its seeds."""
    found: list[LearningSign] = []
    by_task: Mapping[str, dict[int, Curve]] = defaultdict(dict)
    for record in records:
        for curve in record.curves if record.status == "ok" else ():
            by_task[curve.task][record.trial["seed"]] = curve
    checks: tuple[tuple[SignKind, Callable[[Curve], bool]], ...] = (("still falling", still_falls), ("rising", rises))
    for task, curves in by_task.items():
        for kind, check in checks:
            seeds = tuple(sorted(seed for seed, curve in curves.items() if check(curve)))
            if len(seeds) > len(curves) / 2:
                found.append(LearningSign(kind, task, seeds, len(curves)))
    diverged = tuple(sorted(record.trial["seed"] for record in records if record.status == "diverged"))
    return [*found, *([LearningSign("diverged", "", diverged, len(records))] if diverged else [])]


def still_falls(curve: Curve) -> bool:
    """Return whether the last validation loss is clearly the lowest; no with fewer than three validations."""
    losses = curve.validation.column("loss")
    return len(losses) >= _FEWEST_VALIDATIONS and losses[-1] < min(losses[:-1]) - STILL_FALLS * abs(losses[-2])


def rises(curve: Curve) -> bool:
    """Return whether the training loss ends clearly above its lowest quarter."""
    losses = curve.points.column("task_loss")
    if len(losses) < _FEWEST_POINTS:
        return False
    size = len(losses) // 4
    quarters = [fmean(losses[start : start + size]) for start in range(0, 3 * size, size)]
    least = min(quarters)
    return fmean(losses[-size:]) > least + RISES * abs(least)
