"""A running trial, as the runner sees it: its process, its events, its limits and the meters outside the process."""

from __future__ import annotations

import json
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..api.measurement import checked
from ..records.record import Failure
from ..suite.suite import seconds
from ..training.failures import Ending
from ..training.messages import apply_phase_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..api.measurement import Measurement, Samples
    from ..api.meter import Meter, Watch
    from ..suite.suite import Limits
    from ..suite.trial import Trial
    from .slots import Slot
    from .trial_process import TrialProcess


@dataclass
class MeterReadings:
    """What the runner's meters returned for one trial."""

    measurements: list[Measurement] = field(default_factory=list)
    disturbances: list[str] = field(default_factory=list)
    samples: list[Samples] = field(default_factory=list)


@dataclass
class RunningTrial:
    """A trial whose process has been started."""

    trial: Trial
    child: TrialProcess
    slot: Slot
    meters: list[Meter]
    """Those that measure from the runner."""
    watch: Watch
    broken: Failure | None = None
    """The error of a meter that raised."""
    stopped: Ending | None = None
    """How the trial ended, if the runner stops it."""
    _last_event: float = field(default_factory=time.monotonic)
    _offset: int = 0

    def read_events(self, on_step: Callable[[Trial, int, int, float], None] = lambda *_: None) -> None:
        """Read the complete lines added to `events.jsonl`; an incomplete last line is read next time.

        Args:
            on_step: called with trial, step, number of steps and loss for every step event.
        """
        try:
            with (self.child.folder / "events.jsonl").open("rb") as stream:
                stream.seek(self._offset)
                added = stream.read()
        except FileNotFoundError:
            return
        complete = added[: added.rfind(b"\n") + 1]
        self._offset += len(complete)
        for line in complete.splitlines():
            self._last_event = time.monotonic()
            try:
                event: dict[str, Any] = json.loads(line)
            except ValueError:  # cut off by a full disk
                continue
            apply_phase_event(self.watch.spans, event)
            if event.get("event") == "step":
                on_step(self.trial, event["step"], event["steps"], event["loss"])

    def enforce(self, limits: Limits, *, cancel: bool) -> None:
        """Stop the trial if it exceeds a limit, or if `cancel` is set."""
        now = time.monotonic()
        if self.stopped is not None:
            pass
        elif cancel:
            self.stopped = Ending("cancelled", "Cancelled", "stopped by the user")
        elif now - self.child.started > seconds(limits.trial):
            self.stopped = Ending("timeout", "Timeout", f"longer than limits.trial = {limits.trial}")
        elif now - self._last_event > seconds(limits.no_progress):
            self.stopped = Ending(
                "timeout", "Timeout", f"no sign of life for limits.no_progress = {limits.no_progress}"
            )
        if self.stopped is not None and self.child.alive:
            self.child.stop()

    def start_meters(self) -> None:
        """Start the meters; see `broken` for an error."""
        with self._catching_errors():
            for meter in self.meters:
                meter.start(self.watch)

    def stop_meters(self) -> MeterReadings:
        """Stop the meters, unless one failed to start, and return what they measured up to the first error."""
        readings = MeterReadings()
        with self._catching_errors():
            for meter in self.meters if self.broken is None else ():
                readings.measurements += checked(meter.stop())
                readings.disturbances += meter.disturbances()
                readings.samples += meter.samples()
        return readings

    @contextmanager
    def _catching_errors(self) -> Iterator[None]:
        """Record a meter's error in `broken`: it fails the trial, not the run."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            self.broken = Failure(type(error).__name__, f"a meter raised: {error}", traceback.format_exc())
