"""Asks a device twenty times a second, in a thread of the runner, and watches itself while it does."""

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
"""Seconds an answer of the driver is waited for at the end."""
QUANTITIES = ("memory", "power", "energy", "utilisation", "clock", "temperature")


class Clock:
    """The system's clock; in tests a fake takes its place."""

    def now(self) -> float:
        """Give seconds of the monotonic clock."""
        return time.monotonic()

    def cost(self) -> float:
        """Give the CPU seconds this thread has used."""
        return time.thread_time()

    def wait(self, done: threading.Event, seconds: float) -> bool:
        """Wait for `done`, so many seconds at most; tells whether it is set."""
        return done.wait(max(0.0, seconds))


class Series:
    """Readings of one quantity and when they were taken."""

    def __init__(self) -> None:
        self.times, self.values = array("d"), array("d")

    def add(self, at: float, value: float) -> None:
        """Add a reading."""
        self.times.append(at)
        self.values.append(value)

    def __len__(self) -> int:
        return len(self.times)


def thinned(series: Series, most: int) -> tuple[tuple[float, float], ...]:
    """Give the highest reading of each of `most` stretches of equal length, and when it was taken, in seconds since the first."""
    count = len(series)
    edges = sorted({count * place // most for place in range(most + 1)})
    found = []
    for begin, end in pairwise(edges):
        place = max(range(begin, end), key=lambda number: series.values[number])
        found.append((round(series.times[place] - series.times[0], 3), round(series.values[place], 3)))
    return tuple(found)


class Sampler:
    """Samples of one device during one trial. A quantity that failed once is not asked for again."""

    def __init__(self, probe: DeviceProbe, belongs: Callable[[int], bool | None], clock: Clock | None = None) -> None:
        """Set up.

        Args:
            probe: the device.
            belongs: tells of a process id whether it is the trial's; None where no such process can be seen.
            clock: a fake one for tests.
        """
        self._probe, self._belongs, self._clock = probe, belongs, clock or Clock()
        self.series = {name: Series() for name in QUANTITIES}
        self.own = Series()
        """Bytes of the trial's own processes."""
        self.held_down = Series()
        """1 where something held the clocks down, else 0."""
        self.throttles: set[str] = set()
        """What held them down."""
        self.lost: dict[str, str] = {}
        """Quantity → why it is not known."""
        self.foreign: set[int] = set()
        """Processes that are not the trial's."""
        self.unseen: set[int] = set()
        """Processes that nobody here can tell anything about."""
        self.silent = False
        """Whether the driver tells of a process of the trial, but not how much memory it has."""
        self.ticks, self.missed, self.cost = 0, 0, 0.0
        self._owned: set[int] = set()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take the first sample here, so that the trial's beginning is in it, and the others in a thread."""
        self.began = self._clock.now()
        self.tick()
        if not self.dead:
            self._thread = threading.Thread(target=self.run, name="device sampler", daemon=True)
            self._thread.start()

    @property
    def dead(self) -> bool:
        """Whether nothing is left to ask for."""
        return len(self.lost) == len(QUANTITIES) + 2

    def stop(self) -> None:
        """Take the last sample, and end the thread; further calls do nothing."""
        if self._done.is_set():
            return
        self._done.set()
        if self._thread is None:
            return
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._lose_all(f"NVML did not answer for {PATIENCE:g} s")

    def run(self) -> None:
        """Sample at every multiple of `PERIOD` until the end; ticks that could not be kept are counted, not made up for."""
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
        """Ask for everything once."""
        at = self._clock.now()
        for name in QUANTITIES:
            if name not in self.lost:
                self._ask(name, at)
        if "processes" not in self.lost:
            self._look_at_processes(at)
        if "throttling" not in self.lost:
            self._look_at_clocks(at)
        self.ticks += 1
        self.ended = at

    def _ask(self, name: str, at: float) -> None:
        try:
            self.series[name].add(at, float(getattr(self._probe, name)()))
        except NotMeasured as error:
            self.lost[name] = str(error)

    def _look_at_processes(self, at: float) -> None:
        try:
            found = self._probe.processes()
        except NotMeasured as error:
            self.lost["processes"] = str(error)
            return
        own = [one.memory for one in found if self._is_own(one.pid)]
        self.silent = self.silent or None in own
        if own:
            self.own.add(at, float(sum(memory or 0 for memory in own)))

    def _is_own(self, pid: int) -> bool:
        """Sort a process once: after its end nothing more can be found out about it."""
        if pid not in self._owned | self.foreign:
            mine = self._belongs(pid)
            if mine is None:
                self.unseen.add(pid)
            else:
                (self._owned if mine else self.foreign).add(pid)
                self.unseen.discard(pid)
        return pid in self._owned

    def _look_at_clocks(self, at: float) -> None:
        try:
            found = self._probe.throttling()
        except NotMeasured as error:
            self.lost["throttling"] = str(error)
            return
        self.throttles |= found
        self.held_down.add(at, float(bool(found)))

    def _lose_all(self, reason: str) -> None:
        for name in (*QUANTITIES, "processes", "throttling"):
            self.lost.setdefault(name, reason)


def of_session(leader: int) -> Callable[[int], bool | None]:
    """Give what tells whether a process is of the session that `leader` leads: a trial and all its children are."""

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
