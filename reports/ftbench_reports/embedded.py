"""The numbers the script reads: what was computed before, as JSON that can stand in a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Comparison, Summary, Target

    from .palette import Look

WORDS = ("better", "worse", "equivalent", "undecided", "too few seeds")
"""The verdicts, in the order in which the script knows them."""


def embedded(summary: Summary, looks: Mapping[str, Look]) -> str:
    """Give the JSON; no character of a name can end the element it stands in."""
    table = {
        "looks": {label: [look.colour, look.marker] for label, look in looks.items()},
        "targets": [_target(target) for target in summary.targets],
    }
    text = json.dumps(table, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _target(target: Target) -> dict[str, Any]:
    labels = [contender.label for contender in target.contenders]
    return {
        "label": target.label,
        "labels": labels,
        "pairs": {f"{labels.index(one.first)},{labels.index(one.second)}": _pair(one) for one in target.comparisons},
    }


def _pair(one: Comparison) -> list[float | None]:
    """Give a difference with its interval in points, and its word."""
    found = one.difference.estimate
    ends = [None if end is None else round(100 * end, 3) for end in (found.low, found.high)]
    return [round(100 * found.mean, 3), *ends, WORDS.index(one.difference.verdict)]
