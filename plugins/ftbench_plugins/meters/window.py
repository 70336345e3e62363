"""Summarise readings over parts of a trial: peaks, means over time, growth of a counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftbench.meters import Span
    from numpy.typing import NDArray

    from .sampler import Series

TRAINING = ("warm-up", "train", "teacher", "fisher", "features")
"""Phases charged to a strategy as training: its preparation is included, evaluation is not."""


class Window:
    """Stretches of time that do not overlap."""

    def __init__(self, stretches: Sequence[tuple[float, float]], name: str) -> None:
        self.stretches = list(stretches)
        self.name = name
        """Name shown in scopes: `train` or `whole trial`."""

    @property
    def seconds(self) -> float:
        """Total length."""
        return sum(end - begin for begin, end in self.stretches)

    def values(self, series: Series) -> NDArray[np.float64]:
        """Return the readings inside.

        If there are none because the stretches are shorter than a period, return the next one after each.
        """
        times, values = _arrays(series)
        inside = np.zeros(len(times), bool)
        for begin, end in self.stretches:
            inside[np.searchsorted(times, begin, "left") : np.searchsorted(times, end, "right")] = True
        if not inside.any():
            for begin, _ in self.stretches:
                inside[min(int(np.searchsorted(times, begin, "left")), len(times) - 1)] = True
        return values[inside]

    def growth(self, series: Series) -> float:
        """Return the growth of a counter inside, interpolated at the edges."""
        times, values = _arrays(series)
        return float(
            sum(np.interp(end, times, values) - np.interp(begin, times, values) for begin, end in self.stretches)
        )

    def integral(self, series: Series) -> float:
        """Integrate over the time inside, by the trapezoidal rule."""
        times, values = _arrays(series)
        steps = np.diff(times) * (values[1:] + values[:-1]) / 2
        summed = np.concatenate([[0.0], np.cumsum(steps)])
        return float(
            sum(np.interp(end, times, summed) - np.interp(begin, times, summed) for begin, end in self.stretches)
        )


def whole(series: Series) -> Window:
    """Return the window from the first to the last reading."""
    return Window([(series.times[0], series.times[-1])] if len(series) else [], "whole trial")


def training(spans: Sequence[Span], end: float) -> Window | None:
    """Return the window of a trial's training; None if it never began.

    Args:
        spans: phases reported by the trial.
        end: end of the phases still open when the trial died.
    """
    found = [(span.begin, end if span.end is None else span.end) for span in spans if span.phase in TRAINING]
    return Window(found, "train") if found else None


def _arrays(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.asarray(series.times), np.asarray(series.values)
