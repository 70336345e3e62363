"""A trial under way, seen from the runner: its process, what it tells, its limits, the meters outside it."""

from __future__ import annotations

import json
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..records.record import Failure
from ..suite.suite import seconds
from ..training.failures import Ending
from ..training.messages import note_edge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..api.meter import Meter, Watch
    from ..suite.suite import Limits
    from ..suite.trial import Trial
    from .slots import Slot
    from .trial_process import Child


@dataclass
class RunningTrial:
    """A trial under way."""

    trial: Trial
    child: Child
    slot: Slot
    meters: list[Meter]
    watch: Watch
    broken: Failure | None = None
    """A meter that raised."""
    stopped: Ending | None = None
    """How it ends because the runner stops it."""
    _last_sign: float = field(default_factory=time.monotonic)
    _read: int = 0

    def read_events(self, step: Callable[[Trial, int, int, float], None] = lambda *_: None) -> None:
        """Read whole new lines; a torn last line is read next time.

        Args:
            step: is told of steps made.
        """
        try:
            with (self.child.folder / "events.jsonl").open("rb") as stream:
                stream.seek(self._read)
                fresh = stream.read()
        except FileNotFoundError:
            return
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            self._last_sign = time.monotonic()
            try:
                event: dict[str, Any] = json.loads(line)
            except ValueError:  # torn by a disk that was full
                continue
            note_edge(self.watch.spans, event)
            if event.get("event") == "step":
                step(self.trial, event["step"], event["steps"], event["loss"])

    def check(self, limits: Limits, *, hurry: bool) -> None:
        """Stop what has gone on for too long, or in a hurry whatever runs."""
        now = time.monotonic()
        if self.stopped is not None:
            pass
        elif hurry:
            self.stopped = Ending("cancelled", "Cancelled", "stopped by the user")
        elif now - self.child.started > seconds(limits.trial):
            self.stopped = Ending("timeout", "Timeout", f"longer than limits.trial = {limits.trial}")
        elif now - self._last_sign > seconds(limits.no_progress):
            self.stopped = Ending(
                "timeout", "Timeout", f"no sign of life for limits.no_progress = {limits.no_progress}"
            )
        if self.stopped is not None and self.child.alive:
            self.child.stop()

    @contextmanager
    def metering(self) -> Iterator[None]:
        """Let a meter that raises end its trial, not the run."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is its trial's failure
            self.broken = Failure(type(error).__name__, f"a meter raised: {error}", traceback.format_exc())
