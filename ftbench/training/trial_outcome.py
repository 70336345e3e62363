"""The fields of a record that a trial fills in: scores, curves, steps made, retention, provenance, disturbances."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.measurement import Measurement, checked
from ..records.curve_points import Points
from ..records.record import Curve, Retention

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..api.meter import Meter, Trace, Watch
    from ..api.task import Scored
    from ..suite.trial import Trial
    from .bench import StageData

POINTS = 100
"""Maximum number of points of a curve; each is the mean over the steps since the previous one."""


# -- scores ------------------------------------------------------------------------------------------------------------


def primary_of(scored: Scored, stage: StageData) -> Measurement:
    """Return the measurement of a stage's primary metric."""
    return next(m for m in scored.measurements if m.name == stage.primary)


def scores(
    scored: Mapping[str, Scored], matrix: list[list[float | None]], stages: Sequence[StageData], *, is_sequence: bool
) -> list[Measurement]:
    """List the final scores: those of the only task, or those of every task of a sequence and their summary.

    Args:
        scored: task label → scores after the last stage.
        matrix: the primary metric, as `sequence_measurements` takes it.
        stages: the stages, in their order.
        is_sequence: whether the trial learns a sequence of tasks.
    """
    if not is_sequence:
        return list(next(iter(scored.values())).measurements)
    found = [replace(m, task=label) for label, s in scored.items() for m in s.measurements]
    return found + sequence_measurements(matrix, primary_of(scored[stages[0].label], stages[0]))


def sequence_measurements(matrix: list[list[float | None]], primary: Measurement) -> list[Measurement]:
    """Summarise a sequence from its matrix: row i holds the scores of tasks 0 to i after learning task i.

    The final mean is Σⱼ R[T,j]/T; forgetting is the mean over earlier tasks of max over i < T of R[i,j] − R[T,j]
    (Chaudhry et al. 2018); backward transfer is the mean of R[T,j] − R[j,j] (Lopez-Paz and Ranzato 2017). If a lower
    score is better, the signs of both are inverted, so that forgetting is always a loss and transfer a gain.

    Args:
        matrix: the primary metric; None if a task was not yet learnt or the metric has no value for it.
        primary: one measurement of it, for its unit and direction.
    """
    if any(value is None for row, known in enumerate(matrix) for value in known[: row + 1]):
        reason = f"{primary.name} has no value for one of the tasks"
        names = (primary.name, "forgetting", "backward_transfer")
        return [Measurement(name, None, primary.unit, "none", scope="test", reason=reason) for name in names]
    sign = -1 if primary.direction == "lower" else 1
    signed = sign * np.array([[np.nan if value is None else value for value in row] for row in matrix])
    last, earlier = signed[-1], range(len(matrix) - 1)
    forgotten = float(np.mean([np.nanmax(signed[:-1, j]) - last[j] for j in earlier]))
    backward = float(np.mean([last[j] - signed[j, j] for j in earlier]))
    method, unit = f"mean over tasks of {primary.name}", primary.unit
    return [
        Measurement(
            primary.name,
            sign * float(np.mean(last)),
            unit,
            primary.direction,
            method=f"{method} after the last task",
            scope="test",
        ),
        Measurement("forgetting", forgotten, unit, "lower", method=f"{method}: best before, less last", scope="test"),
        Measurement(
            "backward_transfer", backward, unit, "higher", method=f"{method}: last, less when learnt", scope="test"
        ),
    ]


def retention(matrix: list[list[float | None]], stages: Sequence[StageData]) -> dict[str, Any]:
    """Return a sequence's matrix of scores as a JSON value, with the labels of its tasks."""
    return asdict(Retention(tuple(stage.label for stage in stages), tuple(tuple(row) for row in matrix)))


# -- training ----------------------------------------------------------------------------------------------------------


def curve_of(trace: Trace, trial: Trial) -> Curve:
    """Reduce the losses of a training loop to a curve of at most `POINTS` points."""
    batch = next((s.training["batch_size"] for s in trial.stages if s.task.label == trace.task), 1)
    edges = sorted({round(edge) for edge in np.linspace(0, len(trace.task_losses), POINTS + 1)})
    seconds = np.cumsum(trace.seconds)
    points = tuple(
        {
            "step": float(end),
            "examples": float(end * batch),
            "seconds": round(float(seconds[min(end, len(seconds)) - 1]), 4),
            "task_loss": round(float(np.mean(trace.task_losses[begin:end])), 6),
            "loss": round(float(np.mean(trace.losses[begin:end])), 6),
        }
        for begin, end in pairwise(edges)
        if np.isfinite(trace.losses[begin:end]).all()
    )
    return Curve(
        trace.task,
        Points(points),
        Points(trace.validation),
        trace.planned,
        len(trace.task_losses),
        trace.kept,
        trace.skipped,
    )


def steps_made(traces: Sequence[Trace], stages: Sequence[StageData], *, is_sequence: bool) -> list[Measurement]:
    """Count the steps of each stage whose training could stop early."""
    stopping = {stage.label for stage in stages if stage.training.early_stopping}
    return [
        Measurement(
            "training_steps",
            float(len(trace.losses)),
            "steps",
            method=f"steps made of {trace.planned} planned",
            scope="train",
            task=trace.task if is_sequence else "",
        )
        for trace in traces
        if trace.task in stopping
    ]


# -- what is known even if the trial failed ----------------------------------------------------------------------------


def partial_outcome(watch: Watch, trial: Trial, stages: Sequence[StageData]) -> dict[str, Any]:
    """Return the fields that are known even if the trial failed: shared work, curves, classes."""
    return {
        "shared": [asdict(shared) for shared in watch.shared],
        "curves": [curve_of(trace, trial).to_rows() for trace in watch.traces],
        "classes": {stage.label: stage.task.classes for stage in stages},
    }


def disturbances(traces: Sequence[Trace]) -> list[str]:
    """List the trainings that were resumed from a checkpoint.

    Their measurements of time, rate and energy cover only the last stretch, or are a sum of several.
    """
    return [f"resumed after step {trace.resumed[-1]} of {trace.task}" for trace in traces if trace.resumed]


def last_readings(meters: Sequence[Meter]) -> list[Measurement]:
    """Stop the meters of a failed trial and return what they measured, such as the peak before memory ran out."""
    found: list[Measurement] = []
    for meter in meters:
        # The failure may have interrupted a meter anywhere; what counts is the trial's failure, not the meter's.
        with suppress(Exception):
            found.extend(checked(meter.stop()))
    return found


def provenance(
    trial: Trial,
    watch: Watch,
    stages: Sequence[StageData],
    split_hashes: Mapping[str, str],
    features_reason: str = "",
) -> dict[str, Any]:
    """Return the sources of data and weights, with the splits and orders that were actually used.

    Args:
        trial: the trial.
        watch: its traces and its learner.
        stages: the stages that were loaded.
        split_hashes: task label → hash of its splits.
        features_reason: why features of a frozen part were not cached; empty if they were, or nothing is frozen.
    """
    card = watch.learner.card if watch.learner else None
    return {
        "splits": dict(split_hashes),
        "resumed": {trace.task: trace.resumed for trace in watch.traces if trace.resumed},
        "orders": {trace.task: trace.order_hash for trace in watch.traces},
        "backbone": {"licence": card.licence, "source": card.source, "note": card.note} if card else None,
        "data": {stage.label: asdict(stage.task.provenance()) for stage in stages},
        "threads": trial.threads,
        **({"features": features_reason} if features_reason else {}),
        **({"tuning": dict(trial.choice)} if trial.choice else {}),
    }
