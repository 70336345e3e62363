"""What a record keeps of a training's course."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

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
    return Curve(trace.task, points, tuple(trace.validation), trace.planned, len(trace.task_losses), trace.kept, trace.skipped)
