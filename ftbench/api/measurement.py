"""One reading: a value, or null with a reason; never a zero for "not measured"."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable

Direction = Literal["higher", "lower", "none"]
MEASURING_VERSION = 2
"""Raise it when a measurement of the same name covers something else: readings of two versions are never ranked
together."""

LARGEST = 1e50
"""Upper bound of any measurement: float32 ends at 3e38, and below it squares and ratios are still finite."""
Number = Annotated[float, Interval(ge=-LARGEST, le=LARGEST)]
"""A number in a record."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number about one trial."""

    name: str
    """What was measured, such as `accuracy` or `peak_host_memory`."""
    value: Number | None
    """The number in `unit`, or None with a `reason`."""
    unit: str
    """SI or counted unit: `1`, `s`, `B`, `J`, `W`, `parameters`, `tokens/s` …"""
    direction: Direction = "none"
    """Which way is better."""
    method: str = ""
    """How it was taken."""
    scope: str = ""
    """What it covers: a split, a phase, a device, the process tree."""
    task: str = ""
    """Label of its task; empty for the whole trial."""
    reason: str | None = None
    """Why there is no value."""
    flags: tuple[str, ...] = ()
    """What readers must know before comparing it, such as `short window`."""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            message = f"measurement {self.name!r} needs a value or a reason, and not both"
            raise ValueError(message)


TRAINING = ("warm-up", "train")
"""Phases of the measurement `train_time`."""
NOT_THE_STRATEGYS = frozenset(
    ("start", "load", "validate", "evaluate", "save", "probe", "accounting", "checkpoint", "other")
)
"""Phases that a trial spends on anything else than what its strategy needs."""


def charged_training(
    measurements: Iterable[Measurement], phases: Iterable[Phase], shared: Iterable[Shared]
) -> tuple[Measurement, ...]:
    """Return `charged_train_time`: the training, and all that it needs, as if nothing had been shared.

    Args:
        measurements: those of a trial.
        phases: its phases; those of a strategy's own count.
        shared: work it shares with other trials.

    Returns:
        One measurement; none if the training was not timed.
    """
    found = next((m for m in measurements if m.name == "train_time" and not m.task), None)
    if found is None or found.value is None:
        return () if found is None else (replace(found, name="charged_train_time"),)
    besides = {*NOT_THE_STRATEGYS, *TRAINING}
    own = sum(phase.seconds for phase in phases if phase.name not in besides)
    # The time of a training itself includes what another trial spent on it.
    elsewhere = sum(one.elsewhere for one in shared if one.phase not in TRAINING)
    method = (
        "phases warm-up and train, and all that the strategy needs besides: features, teacher, Fisher, pretraining, "
        "merging; shared work as long as it took; without loading, validation and evaluation"
    )
    return (replace(found, name="charged_train_time", value=found.value + own + elsewhere, method=method),)


def is_number(value: object) -> bool:
    """Return whether a value may be written to a record."""
    return isinstance(value, int | float) and abs(value) <= LARGEST


def checked(found: Iterable[Measurement]) -> list[Measurement]:
    """Return the readings if all their values are numbers.

    Raises:
        ValueError: one is not a number, or exceeds `LARGEST`.
    """
    readings = list(found)
    for one in readings:
        if one.value is not None and not is_number(one.value):
            message = f"{one.name} = {one.value!r} is no number that can be measured"
            raise ValueError(message)
    return readings


DISTURBED = "disturbed: "
"""Prefix of flags that make every comparison of a reading inconclusive."""


def disturbed(measurement: Measurement, by: Iterable[str]) -> Measurement:
    """Flag a reading of time, rate, power or energy with what disturbed the trial; return any other unchanged."""
    if not (measurement.unit in {"s", "J", "W"} or measurement.unit.endswith("/s")):
        return measurement
    return replace(measurement, flags=(*measurement.flags, *(f"{DISTURBED}{cause}" for cause in dict.fromkeys(by))))


BESIDE_SCORES = {"waiting_share", "cost", "emissions", "cgroup_peak_memory", "sm_utilisation", "sm_clock"}
"""Readings that other processes affect, although their unit does not show it."""


def scores_only(measurement: Measurement) -> Measurement:
    """Remove what parallel trials change for each other: times, rates, power, energy, money."""
    timed = measurement.unit in {"s", "J", "W"} or measurement.unit.endswith("/s")
    if not timed and measurement.name not in BESIDE_SCORES:
        return measurement
    return replace(measurement, value=None, reason="trials ran side by side: the suite is after quality only", flags=())


def disturbances(*readings: Measurement) -> tuple[str, ...]:
    """Return what disturbed any of the readings."""
    flags = (
        flag.removeprefix(DISTURBED) for reading in readings for flag in reading.flags if flag.startswith(DISTURBED)
    )
    return tuple(dict.fromkeys(flags))


@dataclass(frozen=True)
class Span:
    """An interval of a phase by the system's monotonic clock, which all processes share."""

    phase: str
    """Its phase."""
    begin: float
    """Begin, in seconds of `time.monotonic()`."""
    end: float | None = None
    """End; None if it did not end."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a trial's wall time; phases do not overlap and cover all of it."""

    name: str
    """`load`, `prepare`, `train`, `evaluate`, `save`, or the strategy's own."""
    seconds: Number
    """Wall time."""


@dataclass(frozen=True)
class Shared:
    """Work whose result several trials use: done once, by the first that needs it."""

    name: str
    """`features`, `teacher`, `answers`, `fisher`, `source`, or a strategy's own."""
    phase: str
    """The phase in which it is done."""
    seconds: Number
    """What it took when it was done."""
    here: Number
    """The part of it done in this trial; 0 if the result was read."""

    @property
    def elsewhere(self) -> float:
        """Seconds of it that are not part of this trial's phases."""
        return max(0.0, self.seconds - self.here)


@dataclass(frozen=True)
class Samples:
    """A reading over the time of a trial, for display."""

    name: str
    """What was read, such as `device memory`."""
    unit: str
    """SI or counted unit."""
    points: tuple[tuple[Number, Number], ...]
    """Seconds since the first sample, and the highest reading since the previous point; about a hundred."""
    scope: str = ""
    """What it covers: the trial's processes, the whole device."""
