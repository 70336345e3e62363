"""Sample a device at 20 Hz in a thread of the runner, and measure the sampler's own cost."""

from __future__ import annotations

import os
import threading
import time
from array import array
from itertools import pairwise
from typing import TYPE_CHECKING

from ftbench import NotMeasured

if TYPE_CHECKING:
    from collections.abc import Callable

    from ftbench.meters import DeviceProbe

PERIOD = 0.05
"""Seconds between two samples."""
PATIENCE = 5.0
"""Seconds to wait at the end for the driver to answer."""
QUANTITIES = ("memory", "power", "energy", "utilisation", "clock", "temperature")


class Clock:
    """The system clock; tests replace it with a fake."""

    def now(self) -> float:
        """Return the seconds of the monotonic clock."""
        return time.monotonic()

    def cost(self) -> float:
        """Return the CPU seconds used by this thread."""
        return time.thread_time()

    def wait(self, done: threading.Event, seconds: float) -> bool:
        """Wait at most `seconds` for `done`; return whether it is set."""
        return done.wait(max(0.0, seconds))


class Series:
    """Readings of one quantity, with their times."""

    def __init__(self) -> None:
        self.times, self.values = array("d"), array("d")

    def add(self, at: float, value: float) -> None:
        """Add a reading."""
        self.times.append(at)
        self.values.append(value)

    def __len__(self) -> int:
        return len(self.times)


def downsampled(series: Series, most: int) -> tuple[tuple[float, float], ...]:
    """Downsample to the highest reading of each of `most` stretches of equal length.

    Returns pairs of a time, in seconds since the first reading, and a value.
    """
    count = len(series)
    edges = sorted({count * place // most for place in range(most + 1)})
    found = []
    for begin, end in pairwise(edges):
        place = max(range(begin, end), key=lambda number: series.values[number])
        found.append((round(series.times[place] - series.times[0], 3), round(series.values[place], 3)))
    return tuple(found)


class Sampler:
    """Samples one device during one trial. A quantity that failed once is not read again."""

    def __init__(self, probe: DeviceProbe, belongs: Callable[[int], bool | None], clock: Clock | None = None) -> None:
        """Set up the series.

        Args:
            probe: the device.
            belongs: returns whether a process id is the trial's; None if no such process is visible.
            clock: a fake one for tests.
        """
        self._probe, self._belongs, self._clock = probe, belongs, clock or Clock()
        self.series = {name: Series() for name in QUANTITIES}
        self.own = Series()
        """Bytes of the trial's own processes."""
        self.throttled = Series()
        """1 if something throttled the clocks, otherwise 0."""
        self.throttle_reasons: set[str] = set()
        """Reasons for throttling."""
        self.unavailable: dict[str, str] = {}
        """Quantity → why it is unknown."""
        self.others: set[int] = set()
        """Processes that are not the trial's."""
        self.unidentified: set[int] = set()
        """Processes that are not visible from here."""
        self.memory_hidden = False
        """Whether the driver lists a process of the trial without its memory."""
        self.ticks, self.missed, self.cost = 0, 0, 0.0
        self._owned: set[int] = set()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take the first sample here, so that it covers the trial's beginning, and start a thread for the others."""
        self.began = self._clock.now()
        self.tick()
        if not self.dead:
            self._thread = threading.Thread(target=self.run, name="device sampler", daemon=True)
            self._thread.start()

    @property
    def dead(self) -> bool:
        """Whether every quantity has failed."""
        return len(self.unavailable) == len(QUANTITIES) + 2

    def stop(self) -> None:
        """Take the last sample and end the thread; further calls do nothing."""
        if self._done.is_set():
            return
        self._done.set()
        if self._thread is None:
            return
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._mark_all_unavailable(f"NVML did not answer for {PATIENCE:g} s")

    def run(self) -> None:
        """Sample at every multiple of `PERIOD` until the end; late ticks are counted and skipped."""
        due, begun = self._clock.now(), self._clock.cost()
        while not self.dead:
            due += PERIOD
            ended = self._clock.wait(self._done, due - self._clock.now())
            self.tick()
            self.cost = self._clock.cost() - begun
            if ended:
                return
            late = int((self._clock.now() - due) / PERIOD)
            self.missed += late
            due += late * PERIOD

    def tick(self) -> None:
        """Read every quantity once."""
        at = self._clock.now()
        for name in QUANTITIES:
            if name not in self.unavailable:
                self._read(name, at)
        if "processes" not in self.unavailable:
            self._read_processes(at)
        if "throttling" not in self.unavailable:
            self._read_throttling(at)
        self.ticks += 1
        self.ended = at

    def _read(self, name: str, at: float) -> None:
        try:
            self.series[name].add(at, float(getattr(self._probe, name)()))
        except NotMeasured as error:
            self.unavailable[name] = str(error)

    def _read_processes(self, at: float) -> None:
        try:
            found = self._probe.processes()
        except NotMeasured as error:
            self.unavailable["processes"] = str(error)
            return
        own = [one.memory for one in found if self._is_own(one.pid)]
        self.memory_hidden = self.memory_hidden or None in own
        if own:
            self.own.add(at, float(sum(memory or 0 for memory in own)))

    def _is_own(self, pid: int) -> bool:
        """Return whether a process is the trial's; decided once, since a process cannot be inspected after its end."""
        if pid not in self._owned | self.others:
            mine = self._belongs(pid)
            if mine is None:
                self.unidentified.add(pid)
            else:
                (self._owned if mine else self.others).add(pid)
                self.unidentified.discard(pid)
        return pid in self._owned

    def _read_throttling(self, at: float) -> None:
        try:
            found = self._probe.throttling()
        except NotMeasured as error:
            self.unavailable["throttling"] = str(error)
            return
        self.throttle_reasons |= found
        self.throttled.add(at, float(bool(found)))

    def _mark_all_unavailable(self, reason: str) -> None:
        for name in (*QUANTITIES, "processes", "throttling"):
            self.unavailable.setdefault(name, reason)


def of_session(leader: int) -> Callable[[int], bool | None]:
    """Return a function that checks whether a process is in the session of `leader`: a trial or its children."""

    def belongs(pid: int) -> bool | None:
        if not hasattr(os, "getsid"):
            return pid == leader
        try:
            return os.getsid(pid) == leader
        except ProcessLookupError:
            return None
        except PermissionError:
            return False

    return belongs
