"""The contract of a meter: observe one trial at the boundaries of its phases and return measurements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from .device import DeviceProbe, DeviceState

if TYPE_CHECKING:
    from .finished_trial import FinishedTrial
    from .footprint import Tuned
    from .learner import Learner
    from .measurement import Measurement, Samples, Shared, Span


@dataclass
class Trace:
    """The history of one training loop, one value per optimizer step."""

    task: str
    """Label of the task that was trained on."""
    unit: str
    """What `units` counts."""
    task_losses: list[float] = field(default_factory=list)
    """The task's loss."""
    losses: list[float] = field(default_factory=list)
    """The minimised loss."""
    units: list[float] = field(default_factory=list)
    """Real units in the step's batch, without padding."""
    seconds: list[float] = field(default_factory=list)
    """Wall time of the step; on a GPU exact only over a whole window."""
    padded: list[float] = field(default_factory=list)
    """Units of the step's batch, padding included."""
    waiting: list[float] = field(default_factory=list)
    """Seconds of the step spent making the batch."""
    validation: list[dict[str, float]] = field(default_factory=list)
    """Scores on the validation split: step, then metric → value."""
    planned: int = 0
    """Steps of the protocol."""
    kept: int | None = None
    """The step whose weights were restored at the end; None if the last are kept."""
    skipped: int = 0
    """Steps skipped because a gradient overflowed fp16."""
    resumed: list[int] = field(default_factory=list)
    """Steps after which it resumed from a checkpoint, in another process; earlier values come from the checkpoint."""
    order_hash: str = ""
    """Hash of the order in which examples were seen."""
    spared: float = 0.0
    """Seconds saved per step because features below the head were read, not computed."""
    trained: dict[str, int] = field(default_factory=dict)
    """Name → number of elements of every parameter the optimizer was given."""


@dataclass
class Watch:
    """What a meter may observe."""

    device: str
    """`cpu`, `cuda:0` …; for a meter of the runner with NVML's index, in the trial always `cuda:0`."""
    pid: int
    """The trial's process."""
    learner: Learner | None = None
    """The learner, once loaded; always None for a meter of the runner."""
    traces: list[Trace] = field(default_factory=list)
    """One per training loop, the main ones only."""
    tuned: Tuned | None = None
    """What all trainings changed, before the strategy finished; None until then."""
    shared: list[Shared] = field(default_factory=list)
    """Work shared with other trials, done here or read."""
    profile: str = "normal"
    """The measuring profile: `smoke`, `normal` or `publish`."""
    probing: bool = True
    """Whether a trial that was too short may be measured again after scoring, which takes time."""
    spans: list[Span] = field(default_factory=list)
    """For a meter of the runner: begin and end of the phases, as reported by the trial; the last may be open."""
    probe: DeviceProbe = field(default_factory=DeviceProbe)
    """For a meter of the runner: the instruments of the trial's device."""
    before: DeviceState = field(default_factory=DeviceState)
    """For a meter of the runner: how the device was just before the trial's process was started."""


class Meter(ABC):
    """Observes one trial. Each trial has its own instance; a meter that raises ends the trial as an error."""

    where: ClassVar[Literal["trial", "runner"]] = "trial"
    """`trial`: inside the trial's process. `runner`: outside, surviving the trial's death; phases are not announced,
    but listed in the watch's `spans` at the end."""

    def start(self, watch: Watch) -> None:
        """Start measuring; `watch` is filled while the trial runs."""

    def enter(self, phase: str) -> None:
        """Handle the begin of a phase; the device is synchronised."""

    def leave(self, phase: str) -> None:
        """Handle the end of a phase; the device is synchronised."""

    def examine(self, finished: FinishedTrial) -> None:
        """Measure what needs the finished trial, after saving, in the phase `probe`; skipped on failure."""

    def disturbances(self) -> tuple[str, ...]:
        """Return what disturbed the trial, after `stop`, such as `throttled`; flags its times, rates and energies."""
        return ()

    def samples(self) -> list[Samples]:
        """Return readings over time, after `stop`; for meters of the runner."""
        return []

    @abstractmethod
    def stop(self) -> list[Measurement]:
        """Stop measuring and return the measurements."""
