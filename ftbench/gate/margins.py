"""Margins of a gate: those of the baseline, which the run under test cannot change unannounced."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from ..errors import NotComparable
from ..records.comparability import Difference, without

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..suite.suite import Gate


def margins_of(head: Gate, base: Gate, allowed: Sequence[str]) -> Gate:
    """Return the margins and levels to check a run with: those of the baseline, and of the run where it may differ.

    Args:
        head: the `[gate]` table of the run or its suite.
        base: that of the baseline.
        allowed: dotted names of fields that may differ, such as `gate` or `gate.margin`.

    Raises:
        NotComparable: if the tables differ in other fields; one line per field.
    """
    found = [
        Difference(f"gate.{one.name}", _shown(getattr(base, one.name)), _shown(getattr(head, one.name)))
        for one in fields(base)
        if getattr(base, one.name) != getattr(head, one.name)
    ]
    refused = without(found, allowed)
    if refused:
        lines = [f"not comparable: {one.field} is {one.first} in the baseline and {one.second} here" for one in refused]
        raise NotComparable(
            *lines[:-1], f"{lines[-1]}; create the baseline again, or take those of the run with `--allow-drift gate`"
        )
    return head


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {one}" for name, one in value.items()) + "}"
    return str(list(value)) if isinstance(value, tuple) else str(value)
