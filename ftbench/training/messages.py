"""What a process is told in order to carry out a trial: written to `spec.json`, and enough by itself."""

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
"""The file a trial leaves beside its spec."""


Emit = Callable[[Mapping[str, Any]], None]
"""Receives events, each a JSON value."""
STEP_EVERY, SIGN_EVERY = 0.25, 1.0
"""Seconds between two events at least."""


@dataclass(frozen=True)
class Spec:
    """One trial, and where to run it."""

    trial: Trial
    device: str
    """`cpu`, or `cuda:0`: the one card the process sees."""
    cache: str
    """Folder of what trials share."""
    files: tuple[str, ...] = ()
    """Plugins of one file."""
    without: tuple[str, ...] = ()
    """Plugins left out."""
    checkpoints: str = ""
    """Folder of the trial's checkpoints."""
    checkpoint: float | None = None
    """Seconds between two of them; None for none."""


@cache
def spec_adapter() -> TypeAdapter[Spec]:
    """Give pydantic's reading of a spec; made once, because making it is slow."""
    from pydantic import TypeAdapter

    return TypeAdapter(Spec)


class PhaseEvents(Meter):
    """Measures nothing; tells at which reading of the system's monotonic clock a phase began and ended."""

    def __init__(self, emit: Callable[[Mapping[str, Any]], None]) -> None:
        self._emit = emit

    def enter(self, phase: str) -> None:
        """Tell that a phase begins."""
        self._emit({"event": "enter", "phase": phase, "at": time.monotonic()})

    def leave(self, phase: str) -> None:
        """Tell that it ended."""
        self._emit({"event": "leave", "phase": phase, "at": time.monotonic()})

    def stop(self) -> list[Measurement]:
        """Give nothing."""
        return []


def phases_of(spans: Iterable[Span], until: float) -> list[Phase]:
    """Add up the phases of a trial that can no longer tell of them; the one it died in goes on until then."""
    seconds: dict[str, float] = {}
    for span in spans:
        end = until if span.end is None else span.end
        seconds[span.phase] = seconds.get(span.phase, 0.0) + end - span.begin
    return [Phase(name, spent) for name, spent in seconds.items()]


def note_edge(spans: list[Span], event: Mapping[str, Any]) -> None:
    """Enter an event into the spans of its trial; events of other kinds change nothing."""
    if event.get("event") == "enter":
        spans.append(Span(event["phase"], event["at"]))
    elif event.get("event") == "leave" and spans:
        spans[-1] = Span(spans[-1].phase, spans[-1].begin, event["at"])


class Signs:
    """The steps of all stages, counted together; no more events than somebody would look at."""

    def __init__(self, emit: Emit) -> None:
        self._emit, self._last = emit, 0.0
        self.steps: list[int] = []
        """Steps of each stage; to be set before the first."""

    def step(self, stage: int, step: int, losses: list[float]) -> None:
        """Tell of a step of a stage, the last one of it always."""
        now = time.monotonic()
        if losses and (now - self._last > STEP_EVERY or step == self.steps[stage]):
            self._last = now
            self._emit(
                {"event": "step", "step": sum(self.steps[:stage]) + step, "steps": sum(self.steps), "loss": losses[-1]}
            )

    def end(self, stage: int, made: int, losses: list[float]) -> None:
        """Leave the steps of a stage that stopped early out of those still to come."""
        self.steps[stage] = made
        self.step(stage, made, losses)

    def working(self) -> None:
        """Tell that work beside the training goes on: time without a sign is limited."""
        now = time.monotonic()
        if now - self._last > SIGN_EVERY:
            self._last = now
            self._emit({"event": "working"})
