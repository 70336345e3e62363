"""Wait between two trials on a device until the memory of the first is released, or name the processes that hold it."""

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
"""Bytes above the baseline to ignore: the driver's own use varies by a few mebibytes."""


class DeviceRelease:
    """Watches the memory of one device between trials. It ends no process and changes nothing on the device."""

    def __init__(self, probe: DeviceProbe, now: Callable[[], float] = time.monotonic) -> None:
        self._probe, self._now = probe, now
        self._baseline = self._memory()
        self._waiting_since: float | None = None

    def state(self) -> DeviceState | None:
        """Return the device's state once its memory is back at the baseline or `PATIENCE` is over; None until then.

        The baseline is the memory in use at the beginning of the run, or the lowest seen since.
        """
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
        return tuple(f"{_name(one.pid)} (process {one.pid}){_memory_of(one.memory)}" for one in found)

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


def _memory_of(memory: int | None) -> str:
    return "" if memory is None else f" holds {memory / 2**20:.0f} MiB"


def _name(pid: int) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return "a program outside this container"
