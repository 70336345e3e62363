"""The edges of a trial's phases, told to the runner as events: what samples from outside must be cut by."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..api.measurement import Measurement, Phase, Span
from ..api.meter import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class EdgeTeller(Meter):
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
