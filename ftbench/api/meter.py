"""The contract of a meter: watch one trial at phase edges and give measurements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from .device import DeviceProbe, DeviceState

if TYPE_CHECKING:
    from .finished_trial import FinishedTrial
    from .learner import Learner
    from .measurement import Measurement, Samples, Shared, Span


@dataclass
class Trace:
    """What one training loop left behind, a value per optimizer step."""

    task: str
    """Label of the task that was trained on."""
    unit: str
    """What `units` counts."""
    task_losses: list[float] = field(default_factory=list)
    """The task's loss."""
    losses: list[float] = field(default_factory=list)
    """What was minimised."""
    units: list[float] = field(default_factory=list)
    """Real units in the step's batch: padding is not counted."""
    seconds: list[float] = field(default_factory=list)
    """Wall time of the step; on a GPU exact only over a whole window."""
    padded: list[float] = field(default_factory=list)
    """Units of the step's batch, padding counted as if it were real."""
    waiting: list[float] = field(default_factory=list)
    """Seconds of the step spent making the batch."""
    validation: list[dict[str, float]] = field(default_factory=list)
    """Scores on the validation split: step, then metric → value."""
    planned: int = 0
    """Steps the protocol asks for."""
    kept: int | None = None
    """The step whose weights were put back at the end; None where the last are kept."""
    skipped: int = 0
    """Steps left out because a gradient overflowed fp16."""
    resumed: list[int] = field(default_factory=list)
    """Numbers of the steps after which it went on from a checkpoint, in another process; the values of those before come from there."""
    order_hash: str = ""
    """Hash of the order in which examples were seen."""
    spared: float = 0.0
    """Seconds by which a step was shorter because what the network gives below the head was read, not computed."""
    trained: dict[str, int] = field(default_factory=dict)
    """Name → number of elements of every parameter the optimizer was given."""


@dataclass
class Watch:
    """What a meter may look at."""

    device: str
    """`cpu`, `cuda:0` …; for a meter of the runner with NVML's index, in the trial always `cuda:0`."""
    pid: int
    """The trial's process."""
    learner: Learner | None = None
    """The learner, once loaded; always None for a meter of the runner."""
    traces: list[Trace] = field(default_factory=list)
    """One per training loop, the main ones only."""
    shared: list[Shared] = field(default_factory=list)
    """Work that other trials use too, done here or read."""
    profile: str = "normal"
    """The measuring profile: `smoke`, `normal` or `publish`."""
    probing: bool = True
    """Whether what a trial was too short for may be measured once more after scoring, which takes time."""
    spans: list[Span] = field(default_factory=list)
    """For a meter of the runner: when phases began and ended, as the trial told it; the last may be open."""
    probe: DeviceProbe = field(default_factory=DeviceProbe)
    """For a meter of the runner: the instruments of the trial's device."""
    before: DeviceState = field(default_factory=DeviceState)
    """For a meter of the runner: how the device was just before the trial's process was started."""


class Meter(ABC):
    """Observes one trial. A fresh instance per trial; a meter that raises ends the trial as an error."""

    where: ClassVar[Literal["trial", "runner"]] = "trial"
    """`trial`: inside the trial's process. `runner`: outside, surviving the trial's death; phases are not announced,
    but stand in the watch's `spans` at the end."""

    def start(self, watch: Watch) -> None:
        """Begin; `watch` fills as the trial goes on."""

    def enter(self, phase: str) -> None:
        """Note that a phase begins; the device is synchronised."""

    def leave(self, phase: str) -> None:
        """Note that a phase ended; the device is synchronised."""

    def examine(self, finished: FinishedTrial) -> None:
        """Measure what needs the finished trial: after scoring and saving, in a phase of its own, `probe`; not where a trial failed."""

    def disturbances(self) -> tuple[str, ...]:
        """Name what disturbed the trial as a whole, after `stop`, such as `throttled`: a flag of every reading of time, rate and energy."""
        return ()

    def samples(self) -> list[Samples]:
        """Give how readings went over time, after `stop`; of a meter of the runner."""
        return []

    @abstractmethod
    def stop(self) -> list[Measurement]:
        """End, and give what was measured."""
