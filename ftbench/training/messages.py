"""The messages between the runner and a trial's process.

`spec.json` says what to run and `outcome.json` what came of it; events report progress in between: phase events, step
events and heartbeats.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..api.measurement import Measurement, Phase, Span
from ..api.meter import Meter
from ..suite.trial import Trial  # noqa: TC001 - pydantic resolves the field types at run time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import TypeAdapter

OUTCOME = "outcome.json"
"""The file that a trial writes next to its spec."""
STEP_EVERY = 0.25
"""Minimum seconds between two step events."""
HEARTBEAT_EVERY = 1.0
"""Minimum seconds between a heartbeat and the event before it."""

Emit = Callable[[Mapping[str, Any]], None]
"""Receives events, each a JSON value."""


# -- from the runner: what to run --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spec:
    """One trial and where to run it: all that its process needs, written to `spec.json`."""

    trial: Trial
    device: str
    """`cpu`, or `cuda:0`: the only GPU that the process sees."""
    cache: str
    """Folder of the cache that trials share."""
    files: tuple[str, ...] = ()
    """Paths of plugins that are single files."""
    without: tuple[str, ...] = ()
    """Plugins that are not loaded."""
    checkpoints: str = ""
    """Folder of the trial's checkpoints."""
    checkpoint: float | None = None
    """Seconds between two checkpoints; None for no checkpoints."""


@cache
def spec_adapter() -> TypeAdapter[Spec]:
    """Return pydantic's adapter that reads a spec; cached, because building it is slow."""
    from pydantic import TypeAdapter

    return TypeAdapter(Spec)


# -- from the trial: phase events --------------------------------------------------------------------------------------


class PhaseEvents(Meter):
    """Emits an event when a phase begins or ends, with the time by the system's monotonic clock; measures nothing."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def enter(self, phase: str) -> None:
        """Emit that a phase begins."""
        self._emit({"event": "enter", "phase": phase, "at": time.monotonic()})

    def leave(self, phase: str) -> None:
        """Emit that a phase ended."""
        self._emit({"event": "leave", "phase": phase, "at": time.monotonic()})

    def stop(self) -> list[Measurement]:
        """Return no measurements."""
        return []


def apply_phase_event(spans: list[Span], event: Mapping[str, Any]) -> None:
    """Add a phase event to the spans of its trial; ignore other events."""
    if event.get("event") == "enter":
        spans.append(Span(event["phase"], event["at"]))
    elif event.get("event") == "leave" and spans:
        spans[-1] = Span(spans[-1].phase, spans[-1].begin, event["at"])


def phases_of(spans: Iterable[Span], until: float) -> list[Phase]:
    """Add up the phases of a trial whose process died; the phase that it died in lasts until `until`."""
    seconds: dict[str, float] = {}
    for span in spans:
        end = until if span.end is None else span.end
        seconds[span.phase] = seconds.get(span.phase, 0.0) + end - span.begin
    return [Phase(name, spent) for name, spent in seconds.items()]


# -- from the trial: step events and heartbeats ------------------------------------------------------------------------


class ProgressEvents:
    """Emits step events, which count the steps of all stages together, and heartbeats; both at a limited rate."""

    def __init__(self, emit: Emit) -> None:
        self._emit, self._last = emit, 0.0
        self.steps: list[int] = []
        """Number of steps of each stage; must be set before the first step."""

    def step(self, stage: int, step: int, losses: list[float]) -> None:
        """Emit a step event, unless the last event is too recent; the last step of a stage is always emitted."""
        now = time.monotonic()
        if losses and (now - self._last > STEP_EVERY or step == self.steps[stage]):
            self._last = now
            self._emit(
                {"event": "step", "step": sum(self.steps[:stage]) + step, "steps": sum(self.steps), "loss": losses[-1]}
            )

    def end_stage(self, stage: int, made: int, losses: list[float]) -> None:
        """Remove the steps that a stage did not make, because it stopped early, from the total."""
        self.steps[stage] = made
        self.step(stage, made, losses)

    def heartbeat(self) -> None:
        """Emit a heartbeat, so that the no-progress timeout does not fire during work other than training steps."""
        now = time.monotonic()
        if now - self._last > HEARTBEAT_EVERY:
            self._last = now
            self._emit({"event": "working"})
