"""A device that answers by a script over time, and a clock that only moves when it is told to."""

import threading

from ftbench import NotMeasured
from ftbench.meters import DeviceProbe, DeviceProcess

MIB = 2**20


class FakeClock:
    """Waiting takes exactly as long as was asked for, or as long as `overslept` says; after `until` the trial is over."""

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
    """Each answer is a value, a function of the seconds since the beginning, or a text: the reason why there is none."""

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

    def _answer(self, name):
        answer = self.script[name]
        if callable(answer):
            answer = answer(self.ticking.now() - 100.0)
        if isinstance(answer, str):
            raise NotMeasured(answer)
        return answer

    def processes(self):
        return tuple(DeviceProcess(*one) for one in self._answer("processes"))


def _asked(name):
    def ask(self):
        return self._answer(name)

    return ask


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
    setattr(ScriptedProbe, _name, _asked(_name))
