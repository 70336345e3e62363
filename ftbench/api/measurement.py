"""One reading: a value, or null with a reason; never a zero for "not measured"."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable

Direction = Literal["higher", "lower", "none"]
MEASURING_VERSION = 1
"""To be raised when what a measurement of the same name covers changes: readings of two versions are never ranked together."""

LARGEST = 1e50
"""Nothing that is measured is larger: float32 ends at 3e38, and squares and ratios of what is smaller are numbers still."""
Number = Annotated[float, Interval(ge=-LARGEST, le=LARGEST)]
"""What may stand in a record as a number."""


@dataclass(frozen=True)
class Measurement:
    """One number about one trial."""

    name: str
    """What was measured, such as `accuracy` or `peak_host_memory`."""
    value: Number | None
    """The number in `unit`, or None where `reason` says why there is none."""
    unit: str
    """SI or counted unit: `1`, `s`, `B`, `J`, `W`, `parameters`, `tokens/s` …"""
    direction: Direction = "none"
    """Which way is better."""
    method: str = ""
    """How it was taken."""
    scope: str = ""
    """What it covers: a split, a phase, a device, the process tree."""
    task: str = ""
    """The label of the task it is about; empty where it is about the whole trial."""
    reason: str | None = None
    """Why there is no value."""
    flags: tuple[str, ...] = ()
    """What a reader must know before comparing it, such as `short window`."""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            message = f"measurement {self.name!r} needs a value or a reason, and not both"
            raise ValueError(message)


def is_number(value: object) -> bool:
    """Tell whether a value may stand in a record."""
    return isinstance(value, int | float) and abs(value) <= LARGEST


def checked(found: Iterable[Measurement]) -> list[Measurement]:
    """Let through readings whose values are numbers.

    Raises:
        ValueError: one is not, or larger than anything that is measured.
    """
    readings = list(found)
    for one in readings:
        if one.value is not None and not is_number(one.value):
            message = f"{one.name} = {one.value!r} is no number that can be measured"
            raise ValueError(message)
    return readings


DISTURBED = "disturbed: "
"""How a flag begins that makes every comparison of a reading inconclusive."""


def disturbed(measurement: Measurement, by: Iterable[str]) -> Measurement:
    """Flag a reading of time, rate, power or energy with what disturbed the whole trial; give any other as it is."""
    if not (measurement.unit in {"s", "J", "W"} or measurement.unit.endswith("/s")):
        return measurement
    return replace(measurement, flags=(*measurement.flags, *(f"{DISTURBED}{cause}" for cause in dict.fromkeys(by))))


BESIDE_SCORES = {"waiting_share", "cost", "emissions", "cgroup_peak_memory", "sm_utilisation", "sm_clock"}
"""What others on the machine move, though its unit does not tell."""


def scores_only(measurement: Measurement) -> Measurement:
    """Leave out what trials side by side move of each other: times, rates, power, energy, money."""
    timed = measurement.unit in {"s", "J", "W"} or measurement.unit.endswith("/s")
    if not timed and measurement.name not in BESIDE_SCORES:
        return measurement
    return replace(measurement, value=None, reason="trials ran side by side: the suite is after quality only", flags=())


def disturbances(*readings: Measurement) -> tuple[str, ...]:
    """Name what disturbed any of some readings."""
    flags = (
        flag.removeprefix(DISTURBED) for reading in readings for flag in reading.flags if flag.startswith(DISTURBED)
    )
    return tuple(dict.fromkeys(flags))


@dataclass(frozen=True)
class Span:
    """A stretch of a phase by the system's monotonic clock, which is the same in all processes."""

    phase: str
    """Its phase."""
    begin: float
    """Seconds of `time.monotonic()` at which it began."""
    end: float | None = None
    """At which it ended; None where it did not."""


@dataclass(frozen=True)
class Phase:
    """A stretch of a trial's wall time; phases do not overlap and leave nothing out."""

    name: str
    """`load`, `prepare`, `train`, `evaluate`, `save`, or the strategy's own."""
    seconds: Number
    """Wall time."""


@dataclass(frozen=True)
class Shared:
    """Work whose outcome other trials use too: done once, by whoever needed it first."""

    name: str
    """`features`, `teacher`, `answers`, `fisher`, `source`, or a strategy's own."""
    phase: str
    """The phase it is done in."""
    seconds: Number
    """What it took when it was done."""
    here: Number
    """How much of that was done in this trial: 0 where the outcome was only read."""

    @property
    def elsewhere(self) -> float:
        """Seconds of it that are in no phase of this trial."""
        return max(0.0, self.seconds - self.here)


@dataclass(frozen=True)
class Samples:
    """How a reading went over the time of a trial, for people to look at."""

    name: str
    """What was read, such as `device memory`."""
    unit: str
    """SI or counted unit."""
    points: tuple[tuple[Number, Number], ...]
    """Seconds since the first sample, and the highest reading since the point before; a hundred or so."""
    scope: str = ""
    """What it covers: the trial's processes, the whole device."""
