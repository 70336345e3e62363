"""Between two trials on one device: wait until what the first left is gone, or say who keeps it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

from ..api.device import DeviceState
from ..errors import NotMeasured

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..api.device import DeviceProbe

PATIENCE = 30.0
"""Seconds a trial waits for its device."""
SLACK = 64 * 2**20
"""Bytes above the baseline that are no sign of anybody: a driver's own accounts move by a few mebibytes."""


class DeviceRelease:
    """Watches one device between trials. Nobody's process is ended, nothing of the device is changed."""

    def __init__(self, probe: DeviceProbe, now: Callable[[], float] = time.monotonic) -> None:
        self._probe, self._now = probe, now
        self._baseline = self._memory()
        self._waiting_since: float | None = None

    def state(self) -> DeviceState | None:
        """Give the device's state once it is as at the beginning of the run, or patience is over; None: ask again soon."""
        memory = self._memory()
        now = self._now()
        if self._waiting_since is None:
            self._waiting_since = now
        above = 0 if memory is None or self._baseline is None else memory - self._baseline
        offenders: tuple[str, ...] = ()
        if above > SLACK:
            if now - self._waiting_since < PATIENCE:
                return None
            offenders = self._offenders(above)
        elif memory is not None and self._baseline is not None:
            self._baseline = min(self._baseline, memory)
        self._waiting_since = None
        return DeviceState(memory, self._power(), offenders)

    def _offenders(self, above: int) -> tuple[str, ...]:
        try:
            found = self._probe.processes()
        except NotMeasured:
            found = ()
        if not found:
            return (f"{above / 2**20:.0f} MiB more than at the beginning of the run, of a process that cannot be seen",)
        return tuple(f"{_name(one.pid)} (process {one.pid}){_held(one.memory)}" for one in found)

    def _memory(self) -> int | None:
        try:
            return self._probe.memory()
        except NotMeasured:
            return None

    def _power(self) -> float | None:
        try:
            return self._probe.power()
        except NotMeasured:
            return None


def _held(memory: int | None) -> str:
    return "" if memory is None else f" holds {memory / 2**20:.0f} MiB"


def _name(pid: int) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return "a program outside this container"
