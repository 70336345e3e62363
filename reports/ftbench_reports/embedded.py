"""Write the precomputed numbers that the script reads, as JSON that is safe inside a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .charts import LOG, MEMORY, lost_to_memory, mean, span
from .columns import measured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Summary
    from ftbench.reporting import Contender, TaskColumn
    from ftbench.stats import Comparison

    from .columns import Column
    from .palette import Look

WORDS = ("better", "worse", "equivalent", "undecided", "too few seeds")
"""The verdicts, in the same order as in the script."""


def embedded(summary: Summary, looks: Mapping[str, Look]) -> str:
    """Return the JSON; no character of a name can close the surrounding element."""
    columns = measured(summary.targets)
    table = {
        "looks": {label: [look.colour, look.marker] for label, look in looks.items()},
        "costs": [_cost(column, summary) for column in columns],
        "targets": [_target(target, columns) for target in summary.targets],
    }
    text = json.dumps(table, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _cost(column: Column, summary: Summary) -> dict[str, Any]:
    found = next(
        c.quantities[column.name] for t in summary.targets for c in t.contenders if mean(c, column.name) is not None
    )
    return {
        "name": {"trainable": "trained parameters", "stored": "stored bytes"}.get(column.heading, column.heading),
        "measured": column.name.replace("_", " "),
        "more": found.direction == "higher",
        "log": column.name in LOG,
        "memory": column.name in MEMORY,
        "drawn": column.name != "emissions",  # proportional to energy
    }


def _target(target: TaskColumn, columns: Sequence[Column]) -> dict[str, Any]:
    scored = [c for c in target.contenders if mean(c, target.primary) is not None]
    found = scored[0].quantities[target.primary] if scored else None
    labels = [contender.label for contender in target.contenders]
    return {
        "label": target.label,
        "labels": labels,
        "score": target.primary.replace("_", " "),
        "share": target.unit == "1",
        "unit": target.unit,
        "lower": found is not None and found.direction == "lower",
        "units": [
            next((c.quantities[one.name].unit for c in scored if one.name in c.quantities), "") for one in columns
        ],
        "lost": lost_to_memory(target),
        "points": [_point(contender, target, columns) for contender in scored],
        "pairs": {
            f"{labels.index(one.first)},{labels.index(one.second)}": _pair(one, target.unit)
            for one in target.comparisons
        },
    }


def _point(contender: Contender, target: TaskColumn, columns: Sequence[Column]) -> list[Any]:
    """Return a name, its score, and its costs, each a mean with the ends of its interval."""
    found = contender.quantities[target.primary]
    widest = 1.0 if found.unit == "1" and found.direction == "higher" else None
    costs = [
        _rounded(span(contender, column.name)) if mean(contender, column.name) is not None else 0 for column in columns
    ]
    return [contender.label, _rounded(span(contender, target.primary, widest)), costs]


def _rounded(values: Sequence[float]) -> list[float]:
    return [_short(value) for value in (values[:1] if len(set(values)) == 1 else values)]


def _short(value: float) -> float:
    """Round a number to five digits, to an int if it is whole."""
    found = float(f"{value:.5g}")
    return int(found) if found.is_integer() else found


def _pair(one: Comparison, unit: str) -> list[float | None]:
    """Return a difference with its interval, in points for shares, and the index of its verdict."""
    found = one.difference.estimate
    numbers = [None if value is None else _counted(value, unit) for value in (found.mean, found.low, found.high)]
    return [*numbers, WORDS.index(one.difference.verdict)]


def _counted(value: float, unit: str) -> float:
    return round(100 * value, 2) if unit == "1" else _short(value)
