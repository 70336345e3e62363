"""Write the precomputed numbers that the script reads, as JSON that is safe inside a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .charts import mean
from .columns import measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftbench import Summary
    from ftbench.reporting import Contender, TaskColumn
    from ftbench.stats import Comparison

    from .columns import Column

WORDS = ("better", "worse", "equivalent", "undecided", "too few seeds")
"""The verdicts, in the same order as in the script."""


def embedded(summary: Summary) -> str:
    """Return the JSON; no character of a name can close the surrounding element."""
    columns = measured(summary.targets)
    table = {
        "costs": [column.name.replace("_", " ") for column in columns],
        "targets": [_target(target, columns) for target in summary.targets],
    }
    text = json.dumps(table, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _target(target: TaskColumn, columns: Sequence[Column]) -> dict[str, Any]:
    labels = [contender.label for contender in target.contenders]
    return {
        "label": target.label,
        "labels": labels,
        "share": target.unit == "1",
        "costs": {c.label: [_mean(c, column.name) for column in columns] for c in target.contenders},
        "pairs": {
            f"{labels.index(one.first)},{labels.index(one.second)}": _pair(one, target.unit)
            for one in target.comparisons
            if one.first in labels and one.second in labels
        },
    }


def _mean(contender: Contender, name: str) -> float | None:
    found = mean(contender, name)
    return None if found is None else _short(found)


def _short(value: float) -> float:
    """Round a number to five digits, to an int if it is whole."""
    found = float(f"{value:.5g}")
    return int(found) if found.is_integer() else found


def _pair(one: Comparison, unit: str) -> list[float | None]:
    """Return a difference with its interval, in points for shares, and the index of its verdict."""
    low, high = (one.interval.low, one.interval.high) if one.interval else (None, None)
    values = (one.difference.estimate.mean, low, high)
    numbers = [None if value is None else _counted(value, unit) for value in values]
    return [*numbers, WORDS.index(one.difference.verdict)]


def _counted(value: float, unit: str) -> float:
    return round(100 * value, 2) if unit == "1" else _short(value)
