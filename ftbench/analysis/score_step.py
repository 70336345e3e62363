"""Smallest possible change of a score: what one item of the test set changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..records.record import Record
    from .contender import Contender

_ROUNDING = 1e-9


def step_of_contenders(contenders: Sequence[Contender], name: str) -> float:
    """Return the largest step of a score of these contenders, from their items; 0 if unknown."""
    return max(
        (
            found.largest / len(found.values)
            for c in contenders
            for found in c.items.values()
            if found.metric == name and len(found.values)
        ),
        default=0.0,
    )


def step_of_records(records: Sequence[Record], name: str) -> float:
    """Return the largest step of a score of these records, one item of a classified test set.

    Records of other tasks do not count their items. For them the step is the smallest difference of two values: the
    coarser a score, the closer it is to the step, and a smooth one has a step close to zero.

    Args:
        records: finished trials of one configuration or one task column.
        name: name of a measurement.
    """
    found = [one for record in records if (one := record.measurement(name)) is not None and one.value is not None]
    if any(one.unit != "1" for one in found):
        return 0.0
    counted = [sum(sum(row) for matrix in record.confusion.values() for row in matrix) for record in records]
    if counted and all(counted):
        return 1 / min(counted)
    differences = np.diff(np.unique([one.value or 0.0 for one in found]))
    return float(min(differences[differences > _ROUNDING], default=0.0))
