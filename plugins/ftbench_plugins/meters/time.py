"""Meter for training time, and for throughput in real units once training has settled."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from ftbench import Measurement, Meter, Trace, Watch

from .steady import WARM_UP_STEPS, WINDOW_SECONDS, WINDOW_STEPS, SteadyState, Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ftbench import FinishedTrial, Step
    from ftbench.meters import Direction
    from numpy.typing import NDArray

GPU_STEPS = 20
"""Steps between the training loop's synchronisations with a GPU; times of single steps in between mean nothing."""
LONGEST_PROBE = 180.0
"""Seconds after which a probe uses the windows it has."""
SHORT_WINDOW = "short window"
NOTHING_TRAINED = "nothing was trained"
HIGHER: Direction = "higher"
LOWER: Direction = "lower"
_TRAINING = ("warm-up", "train")


class TimeMeter(Meter):
    """Times the phases and the steps of the main training loops.

    If those are too few steps, it trains a discarded copy after scoring, except in the profile `smoke`.
    """

    clock: Callable[[], float] = staticmethod(time.perf_counter)

    def start(self, watch: Watch) -> None:
        """Start the clock."""
        self._watch = watch
        self._seconds: dict[str, float] = {}
        self._edge = self.clock()
        self._probed: SteadyState | None = None
        self._refusal: str | None = None

    def enter(self, phase: str) -> None:
        """Remember when the phase began."""
        self._edge = self.clock()

    def leave(self, phase: str) -> None:
        """Add the phase's seconds."""
        self._seconds[phase] = self._seconds.get(phase, 0.0) + self.clock() - self._edge

    def examine(self, finished: FinishedTrial) -> None:
        """Train a discarded copy until its throughput is known, if the training itself was too short for that."""
        watch = self._watch
        if watch.profile == "smoke" or not watch.probing or not watch.traces or self._training_state().enough:
            return
        try:
            finished.train(lambda steps: self._probe(steps, finished.synchronise))
        except Exception as error:  # noqa: BLE001 - a failed measurement must not fail the trial
            self._probed = None
            self._refusal = f"probe failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"

    def stop(self) -> list[Measurement]:
        """Return training time and throughput, also the throughput with cached outputs of the frozen part."""
        return [self._train_time(), *self._throughput().measurements(), *self._effective()]

    def _train_time(self) -> Measurement:
        seconds = sum(self._seconds.get(phase, 0.0) for phase in _TRAINING)
        elsewhere = sum(one.elsewhere for one in self._watch.shared if one.phase in _TRAINING)
        # A training that was interrupted is timed too, though it left no trace.
        if not self._watch.traces and "warm-up" not in self._seconds:
            return Measurement("train_time", None, "s", LOWER, scope="train", reason=NOTHING_TRAINED)
        method = "phases warm-up and train; without loading, evaluation, teacher and Fisher"
        before = sum(sum(trace.seconds[: trace.resumed[-1]]) for trace in self._watch.traces if trace.resumed)
        if before:
            seconds, method = (
                seconds + before,
                f"{method}; includes {before:.4g} s before it resumed from a checkpoint",
            )
        if elsewhere:
            method += f"; includes {elsewhere:.1f} s of another trial that shares the training on the first task"
        return Measurement("train_time", seconds + elsewhere, "s", LOWER, method=method, scope="train")

    def _probe(self, steps: Iterator[Step], synchronise: Callable[[], None]) -> None:
        state, count = SteadyState(), WARM_UP_STEPS
        synchronise()
        while not state.enough and state.seconds < LONGEST_PROBE:
            begun = self.clock()
            made = list(islice(steps, count))
            synchronise()
            seconds = self.clock() - begun
            state.feed(_stretch(seconds, ((step.units, step.padded, step.waiting) for step in made)))
            # Synchronise once per window.
            count = max(WINDOW_STEPS, math.ceil(WINDOW_SECONDS * len(made) / seconds))
        self._probed = state

    def _training_state(self) -> SteadyState:
        return settled(self._watch.traces[-1], on_gpu=self._on_gpu)

    @property
    def _on_gpu(self) -> bool:
        return self._watch.device.startswith("cuda")

    def _effective(self) -> list[Measurement]:
        """Return the rate with cached features; nothing if no features were cached."""
        if not self._watch.traces or not self._watch.traces[-1].spared:
            return []
        trace = replace(self._watch.traces[-1], spared=0.0)
        found = Throughput.of_steps(trace, on_gpu=self._on_gpu).measurements()[0]
        method = f"{found.method}; outputs of the frozen part were read from cache" if found.method else ""
        return [replace(found, name="effective_throughput", method=method)]

    def _throughput(self) -> Throughput:
        if not self._watch.traces:
            return Throughput(reason=NOTHING_TRAINED)
        trace, state = self._watch.traces[-1], self._training_state()
        if state.enough:
            return Throughput.of_windows(state, trace.unit, "the training itself")
        if self._probed is not None and self._probed.windows:
            return Throughput.of_windows(self._probed, trace.unit, "a probe after scoring, on a discarded copy")
        return Throughput.of_steps(trace, on_gpu=self._on_gpu, refusal=self._refusal)


@dataclass(frozen=True)
class Throughput:
    """Throughput of a training, window by window."""

    windows: tuple[Stretch, ...] = ()
    unit: str = "1"
    method: str = ""
    flags: tuple[str, ...] = ()
    reason: str | None = None
    """Why there are no windows."""

    @classmethod
    def of_windows(cls, state: SteadyState, unit: str, where: str) -> Throughput:
        """Take the windows of a steady state."""
        flags = [*(["never steady"] if state.never_steady else []), *([] if state.enough else [SHORT_WINDOW])]
        windows = f"{len(state.windows)} windows of at least {WINDOW_STEPS} steps and {WINDOW_SECONDS:g} s"
        return cls(tuple(state.windows), unit, f"over {windows} of {where}, without warm-up", tuple(flags))

    @classmethod
    def of_steps(cls, trace: Trace, *, on_gpu: bool, refusal: str | None = None) -> Throughput:
        """Fall back to the steps after the tenth: one by one, or on a GPU in stretches of 20 after the first."""
        stretches = list(_stretches(trace, on_gpu=on_gpu))
        kept = tuple(stretches[1:] if on_gpu else stretches[WARM_UP_STEPS:])
        if not kept:
            return cls(reason=f"only {len(trace.seconds)} steps, all of them warm-up")
        spared = (
            f"; {trace.spared * 1000:.1f} ms added to each step for the frozen part, timed separately"
            if trace.spared
            else ""
        )
        which = (
            f"the stretches of {GPU_STEPS} steps after the first"
            if on_gpu
            else f"the steps after the {WARM_UP_STEPS}th"
        )
        which += spared
        return cls(kept, trace.unit, f"over {which}", (SHORT_WINDOW, *([refusal] if refusal else [])))

    def measurements(self) -> list[Measurement]:
        """Return the median rate, its spread, the rate with padding, and the share of time waiting for data."""
        rates = np.array([window.rate for window in self.windows])
        padded = [window.padded / window.seconds for window in self.windows]
        waiting = [window.waiting / window.seconds for window in self.windows]
        real = "padding not counted"
        return [
            self._reading("throughput", rates, f"median {self.method}; {real}"),
            self._reading("throughput_p10", rates, f"10th percentile {self.method}; {real}", quantile=0.1),
            self._reading("throughput_p90", rates, f"90th percentile {self.method}; {real}", quantile=0.9),
            self._reading("padded_throughput", padded, f"median {self.method}; padding counted"),
            self._reading(
                "waiting_share", waiting, f"median {self.method}; share of the time spent making the next batch"
            ),
        ]

    def _reading(
        self, name: str, values: Sequence[float] | NDArray[np.float64], method: str, quantile: float = 0.5
    ) -> Measurement:
        is_share = name == "waiting_share"
        unit, direction = ("1", LOWER) if is_share else (f"{self.unit}/s", HIGHER)
        if self.reason is not None:
            return Measurement(name, None, unit, direction, scope="train", reason=self.reason)
        return Measurement(
            name, float(np.quantile(values, quantile)), unit, direction, method=method, scope="train", flags=self.flags
        )


def settled(trace: Trace, *, on_gpu: bool) -> SteadyState:
    """Search a training loop's own steps for a steady state."""
    state = SteadyState()
    for stretch in _stretches(trace, on_gpu=on_gpu):
        state.feed(stretch)
    return state


def _stretches(trace: Trace, *, on_gpu: bool) -> Iterator[Stretch]:
    """Split a loop's steps into stretches whose ends are synchronised."""
    size = GPU_STEPS if on_gpu else 1
    for begin in range(0, len(trace.seconds) - size + 1, size):
        part = slice(begin, begin + size)
        seconds = sum(trace.seconds[part]) + size * trace.spared
        yield _stretch(seconds, zip(trace.units[part], trace.padded[part], trace.waiting[part], strict=True))


def _stretch(seconds: float, steps: Iterable[tuple[float, float, float]]) -> Stretch:
    units, padded, waiting = np.array(list(steps)).reshape(-1, 3).T
    return Stretch(len(units), seconds, float(units.sum()), float(padded.sum()), float(waiting.sum()))
