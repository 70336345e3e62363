"""Read tuning trials from their records: what was tried, its score, its cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from ..suite.search import Tried

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..suite.search_space import Point
    from ..suite.trial import Trial
    from .record import Record


NO_TRAINING = frozenset({"start", "load", "other", "validate", "evaluate", "save", "probe", "accounting", "exit"})
"""Phases that are not training; a budget in seconds counts all others, including the training of a teacher."""


def point_reader(read: Callable[[Trial], Record | None]) -> Callable[[Point, Sequence[Trial], str], Tried | None]:
    """Return the reader that `ftbench.suite.tuner.Tuner.course` takes.

    Args:
        read: returns the record of a trial, or None if it has none; see `ftbench.records.store.Store.reader`.
    """

    def read_point(point: Point, trials: Sequence[Trial], metric: str) -> Tried | None:
        records = [record for trial in trials if (record := read(trial)) is not None]
        return tried_of(point, records, metric) if len(records) == len(trials) else None

    return read_point


def tried_of(point: Point, records: Sequence[Record], metric: str) -> Tried:
    """Summarise the records of one point, one per tuning seed; it has a score only if all of them do.

    Raises:
        UserError: the task column has no such metric.
    """
    name = metric or records[0].primary
    scores = [_score(record, name) for record in records]
    losses = [found.value for record in records if (found := record.measurement("loss")) and found.value is not None]
    known = [score for score in scores if score is not None]
    return Tried(
        point,
        float(np.mean(known)) if len(known) == len(records) else None,
        float(np.mean(losses)) if losses else None,
        _validation_scores(records[0], name),
        sum(training_seconds(record) for record in records),
        stopped=any(record.status == "skipped" for record in records),
        lower=any(_is_lower(record, metric) for record in records),
    )


def _score(record: Record, name: str) -> float | None:
    if record.status != "ok":
        return None
    found = record.measurement(name)
    if found is None or found.direction == "none":
        known = ", ".join(
            sorted({m.name for m in record.measurements if m.scope == "validation" and m.direction != "none"})
        )
        raise UserError(f"tuning.metric: {name!r} is not a score of {record.trial['target']}; it has {known}")
    return None if found.value is None else -found.value if found.direction == "lower" else found.value


def _validation_scores(record: Record, name: str) -> tuple[float, ...]:
    """Return the score at each validation of a trial that succeeded or was pruned; empty for others."""
    if record.status not in ("ok", "skipped"):
        return ()
    sign = -1 if _is_lower(record, name) else 1
    return tuple(sign * value for curve in record.curves[:1] for value in curve.validation.column(name))


def _is_lower(record: Record, metric: str) -> bool:
    """Return whether a lower score is better: from the measurement or, in a pruned trial, from its thresholds."""
    found = record.measurement(metric or record.primary)
    return found.direction == "lower" if found else bool((record.trial.get("bars") or {}).get("lower"))


def training_seconds(record: Record) -> float:
    """Return the training seconds of a trial: all phases except loading, scoring and saving."""
    return sum(phase.seconds for phase in record.phases if phase.name not in NO_TRAINING)
