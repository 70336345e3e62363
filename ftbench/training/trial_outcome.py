"""What a record keeps of a training's course."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..api.measurement import Measurement
from ..records.record import Curve

if TYPE_CHECKING:
    from ..api.meter import Trace
    from ..suite.trial import Trial

POINTS = 100
"""Points a curve has at most; each is the mean over the steps since the one before."""


def curve_of(trace: Trace, trial: Trial) -> Curve:
    """Thin a training loop's losses out to a curve."""
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
        trace.task, points, tuple(trace.validation), trace.planned, len(trace.task_losses), trace.kept, trace.skipped
    )


def sequence_measurements(matrix: list[list[float | None]], primary: Measurement) -> list[Measurement]:
    """Sum a sequence up from its matrix: row i holds the scores of tasks 0 to i after learning task i.

    The final mean is Σⱼ R[T,j]/T; forgetting the mean over earlier tasks of max over i < T of R[i,j] − R[T,j]
    (Chaudhry et al. 2018); backward transfer the mean of R[T,j] − R[j,j] (Lopez-Paz and Ranzato 2017). Where a lower score is
    better, both are turned, so that forgetting is a loss and transfer a gain.

    Args:
        matrix: the primary metric; None where a task was not yet learnt, or where it has no value.
        primary: one reading of it, for its unit and direction.
    """
    if any(value is None for row, known in enumerate(matrix) for value in known[: row + 1]):
        reason = f"{primary.name} has no value for one of the tasks"
        names = (primary.name, "forgetting", "backward_transfer")
        return [Measurement(name, None, primary.unit, "none", scope="test", reason=reason) for name in names]
    sign = -1 if primary.direction == "lower" else 1
    scores = sign * np.array([[np.nan if value is None else value for value in row] for row in matrix])
    last, earlier = scores[-1], range(len(matrix) - 1)
    forgotten = float(np.mean([np.nanmax(scores[:-1, j]) - last[j] for j in earlier]))
    backward = float(np.mean([last[j] - scores[j, j] for j in earlier]))
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
