"""Write the notes under a verdict: the leader's costs, the cheapest of the statistically tied, and failed trials."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ftbench.reporting import quantity

from .charts import mean
from .columns import MEMORY

if TYPE_CHECKING:
    from ftbench import Summary
    from ftbench.reporting import Contender, TaskColumn

    from .board import Board

_COST_TEXTS = (
    ("trainable_parameters", "{} trained parameters"),
    ("throughput", "{} in training"),
    ("train_time", "{} of training"),
    ("energy", "{} of energy"),
    ("cost", "{} spent"),
)


def leader_costs(target: TaskColumn) -> str:
    """Describe the costs of the contender with the best mean; empty if nothing was measured."""
    leader = _leader(target)
    if leader is None:
        return ""
    memory = _memory(target)
    parts = (
        [f"{_written(leader, memory)} of memory ({MEMORY[memory]})"]
        if memory and mean(leader, memory) is not None
        else []
    )
    parts += [text.format(_written(leader, name)) for name, text in _COST_TEXTS if mean(leader, name) is not None]
    return f"{leader.label}: {', '.join(parts)}." if parts else ""


def cheapest(target: TaskColumn) -> str:
    """Name the tied contender with the least memory; empty if it is the leader."""
    leader, memory = _leader(target), _memory(target)
    if leader is None or memory is None:
        return ""
    tied = {label for group in target.ties if leader.label in group for label in group}
    taken = [c for c in target.contenders if c.label in tied and mean(c, memory) is not None]
    least = min(taken, key=lambda c: mean(c, memory) or 0.0, default=leader)
    if least is leader or mean(leader, memory) is None:
        return ""
    return f"Cheapest of them: {least.label}, {_written(least, memory)}."


def unscored(summary: Summary, board: Board) -> list[tuple[str, str, str, str]]:
    """Return status, contenders and task, seeds and reason of trials without a score; equal ones share an entry."""
    found: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for target in summary.targets:
        for lost in board.lost(target):
            found[target.label, lost.status, lost.seeds_text, lost.message].append(lost.label)
    return [
        (status, f"{', '.join(labels)} on {target}", parts, message)
        for (target, status, parts, message), labels in found.items()
    ]


def _leader(target: TaskColumn) -> Contender | None:
    return next((c for c in target.contenders if mean(c, target.primary) is not None), None)


def _memory(target: TaskColumn) -> str | None:
    return next((name for name in MEMORY if any(mean(c, name) is not None for c in target.contenders)), None)


def _written(contender: Contender, name: str) -> str:
    found = contender.quantities[name]
    assert found.estimate is not None
    return quantity(found.estimate.mean, found.unit)
