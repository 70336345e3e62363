"""Wall time by phase, and throughput in real units with the warm-up left out."""

from __future__ import annotations

import time

import numpy as np
from ftbench import Measurement, Meter, Trace, Watch

WARM_UP = 10
WINDOW = 20


class TimeMeter(Meter):
    """Reads the clock at phase edges and the steps of the main training loops."""

    def start(self, watch: Watch) -> None:
        """Start the clock."""
        self._watch = watch
        self._began = time.perf_counter()
        self._seconds: dict[str, float] = {}
        self._edge = self._began

    def enter(self, phase: str) -> None:
        """Note the edge."""
        self._edge = time.perf_counter()

    def leave(self, phase: str) -> None:
        """Add up the phase."""
        self._seconds[phase] = self._seconds.get(phase, 0.0) + time.perf_counter() - self._edge

    def stop(self) -> list[Measurement]:
        """Give wall time, training time and throughput."""
        wall = time.perf_counter() - self._began
        train = self._seconds.get("train", 0.0)
        return [
            Measurement("wall_time", wall, "s", "lower", method="from the trial's first phase to its last, nothing left out"),
            Measurement("train_time", train, "s", "lower", method="phase train: no loading, evaluation, teacher or Fisher", scope="train"),
            *(throughput(trace, on_gpu=self._watch.device.startswith("cuda")) for trace in self._watch.traces[:1]),
            *([] if self._watch.traces else [_absent("nothing was trained")]),
        ]


def throughput(trace: Trace, *, on_gpu: bool) -> Measurement:
    """Give real units a second of one training loop.

    On a CPU the median over the steps after the tenth; on a GPU, whose steps end before its work does, the median over
    windows of 20 steps after the first, each waited for.
    """
    units, seconds = np.array(trace.units), np.array(trace.seconds)
    flags = ["short window"] if seconds[WARM_UP:].sum() < 10 else []
    if on_gpu:
        edges = range(WINDOW, len(seconds) - WINDOW + 1, WINDOW)
        rates = [units[e : e + WINDOW].sum() / seconds[e : e + WINDOW].sum() for e in edges]
        method = f"median over windows of {WINDOW} steps after the first"
    else:
        rates = list(units[WARM_UP:] / seconds[WARM_UP:])
        method = f"median over the steps after the {WARM_UP}th"
    if not rates:
        return _absent(f"only {len(seconds)} steps: all of them are warm-up")
    return Measurement(
        "throughput", float(np.median(rates)), f"{trace.unit}/s", "higher", method=f"{method}; padding not counted",
        scope="train", flags=tuple(flags),
    )  # fmt: skip


def _absent(reason: str) -> Measurement:
    return Measurement("throughput", None, "1/s", "higher", scope="train", reason=reason)
