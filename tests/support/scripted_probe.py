"""A device probe with scripted values over time, and a clock that advances only when a test waits on it."""

import threading

from ftbench import NotMeasured
from ftbench.meters import DeviceProbe, DeviceProcess

MIB = 2**20


class FakeClock:
    """Clock whose waits last exactly the requested time, plus `overslept[number of the wait]` seconds.

    After `until` seconds, waits report that the trial is over.
    """

    def __init__(self, until=float("inf"), overslept=None):
        self.time, self.until = 100.0, until
        self.overslept = overslept or {}
        self.waits = 0

    def now(self):
        return self.time

    def cost(self):
        return self.waits * 1e-4

    def wait(self, done: threading.Event, seconds):
        self.time += max(0.0, seconds) + self.overslept.get(self.waits, 0.0)
        self.waits += 1
        return self.time >= 100.0 + self.until - 1e-6


class ScriptedProbe(DeviceProbe):
    """Probe that reads each quantity from `script`.

    An entry is a value, a function of the seconds since the start, or a string: the reason why there is no value.
    """

    def __init__(self, ticking, /, **script):
        super().__init__("no script")
        self.ticking = ticking
        self.script = {
            "partitioned": False,
            "memory": 500 * MIB,
            "capacity": 16 * 1024 * MIB,
            "processes": [],
            "power": 100.0,
            "energy": lambda t: 5000 + 100.0 * t,
            "utilisation": 0.5,
            "clock": 1.4e9,
            "temperature": 60.0,
            "throttling": frozenset(),
            **script,
        }

    def _read(self, name):
        value = self.script[name]
        if callable(value):
            value = value(self.ticking.now() - 100.0)
        if isinstance(value, str):
            raise NotMeasured(value)
        return value

    def processes(self):
        return tuple(DeviceProcess(*one) for one in self._read("processes"))


def _reader(name):
    def read(self):
        return self._read(name)

    return read


for _name in (
    "partitioned",
    "memory",
    "capacity",
    "power",
    "energy",
    "utilisation",
    "clock",
    "temperature",
    "throttling",
):
    setattr(ScriptedProbe, _name, _reader(_name))
