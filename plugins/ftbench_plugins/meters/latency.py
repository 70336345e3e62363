"""Meter for the latency of the finished model, for one example and for a batch."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ftbench import Measurement, Meter, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from ftbench import FinishedTrial
    from ftbench.meters import Direction

BATCH_SIZES = (1, 32)
ENOUGH = 20
"""Passes below which a 95th percentile rests on one or two of them."""


@dataclass(frozen=True)
class TimingLimits:
    """How long to measure: until `passes` and `seconds` are both reached, or `longest` is."""

    warm_up: int
    """Passes that are not counted."""
    passes: int
    seconds: float
    longest: float
    """Seconds."""


SMOKE = TimingLimits(2, ENOUGH, 0.0, 0.3)
FULL = TimingLimits(10, 100, 1.0, 10.0)


@dataclass
class _Passes:
    """Forward passes with batches of one size."""

    seconds: list[float] = field(default_factory=list)
    units: float = 0.0
    reason: str | None = None


class LatencyMeter(Meter):
    """Runs the finished model repeatedly on test examples, in evaluation mode."""

    clock: Callable[[], float] = staticmethod(time.perf_counter)

    def start(self, watch: Watch) -> None:
        """Reset the results."""
        self._watch = watch
        self._found = {size: _Passes(reason="the trial ended before it could be measured") for size in BATCH_SIZES}
        self._unit = "1"

    def examine(self, finished: FinishedTrial) -> None:
        """Time the passes of each batch size."""
        self._unit = finished.unit
        limits = SMOKE if self._watch.profile == "smoke" else FULL
        for size in BATCH_SIZES:
            try:
                self._found[size] = self._passes(finished, size, limits)
            except Exception as error:  # noqa: BLE001 - a failed measurement must not fail the trial
                message = (str(error).splitlines() or [""])[0]
                self._found[size] = _Passes(
                    reason=f"inference with batches of {size} failed: {type(error).__name__}: {message}"
                )

    def _passes(self, finished: FinishedTrial, size: int, limits: TimingLimits) -> _Passes:
        found, answers = _Passes(), finished.answers(size)
        for _ in range(limits.warm_up):
            next(answers)
        finished.synchronise()
        while (spent := sum(found.seconds)) < limits.longest and (
            len(found.seconds) < limits.passes or spent < limits.seconds
        ):
            begun = self.clock()
            found.units += next(answers)
            finished.synchronise()
            found.seconds.append(self.clock() - begun)
        return found

    def stop(self) -> list[Measurement]:
        """Return the median and 95th percentile for each batch size, and the throughput with the larger one."""
        large = self._found[BATCH_SIZES[-1]]
        rate = large.units / sum(large.seconds) if large.seconds else 0.0
        return [
            *(self._latency(size, share) for size in BATCH_SIZES for share in (50, 95)),
            self._reading(
                "inference_throughput",
                BATCH_SIZES[-1],
                rate,
                f"{self._unit}/s",
                "units over the seconds of all passes; padding not counted",
            ),
        ]

    def _latency(self, size: int, share: int) -> Measurement:
        seconds = self._found[size].seconds
        value = float(np.percentile(seconds, share)) if seconds else 0.0
        which = "median" if share == 50 else f"{share}th percentile"
        return self._reading(f"latency_batch_{size}_p{share}", size, value, "s", which)

    def _reading(self, name: str, size: int, value: float, unit: str, which: str) -> Measurement:
        found, scope = self._found[size], f"inference, batch {size}"
        direction: Direction = "lower" if unit == "s" else "higher"
        if found.reason is not None:
            return Measurement(name, None, unit, direction, scope=scope, reason=found.reason)
        method = (
            f"{which}, {len(found.seconds)} forward passes of the finished model over test examples, "
            "batch on the device, synchronised after each"
        )
        flags = ("short window",) if len(found.seconds) < ENOUGH else ()
        return Measurement(name, value, unit, direction, method=method, scope=scope, flags=flags)
