"""Assemble a trial's record from its outcome file, the runner's meters and the suite's costs."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..api.measurement import Measurement, Shared, disturbed, scores_only
from ..errors import RunError
from ..records.record import Attempt, Failure, Record
from ..records.trial_log import PRINTED, end_of
from ..training.failures import Ending, of_exit
from ..training.messages import OUTCOME, phases_of
from .cost import charged_time, cost_measurements, without_shared

if TYPE_CHECKING:
    from pathlib import Path

    from ..api.catalog import Catalog
    from ..records.store import Store
    from ..suite.suite import Suite
    from ..suite.trial import Trial
    from .running_trial import MeterReadings, RunningTrial

_WALL_TIME = "from the start of the trial's process to its end, nothing left out"


@dataclass(frozen=True)
class RecordAssembler:
    """Makes the records of one run."""

    suite: Suite
    catalog: Catalog
    store: Store
    """Where the attempts of each trial are counted."""
    fingerprint: str
    """Of the environment that the trials run in."""

    def finished(self, running: RunningTrial, readings: MeterReadings, ended: float) -> Record:
        """Return the record of a trial whose process has ended, however it ended.

        Args:
            running: the trial; all its events are read.
            readings: what the runner's meters measured.
            ended: when its process was gone, by `time.monotonic()`.
        """
        outcome = _read_outcome(running)
        disturbances = [*readings.disturbances, *outcome.pop("disturbances", ())]
        # The process may have begun before the runner's call that started it returned.
        seconds = ended - min(running.child.started, outcome.get("began", running.child.started))
        _complete_phases(outcome, running, ended)
        measured = [*(Measurement(**m) for m in outcome.get("measurements", ())), *readings.measurements]
        shared = [Shared(**work) for work in outcome.get("shared", ())]
        measurements = self._with_costs(measured, shared, seconds)
        outcome["samples"] = [dataclasses.asdict(series) for series in readings.samples]
        outcome["measurements"] = [dataclasses.asdict(disturbed(m, disturbances)) for m in measurements]
        if running.broken is not None and outcome["status"] == "ok":
            outcome |= {"status": "error", "failure": dataclasses.asdict(running.broken)}
        try:
            return self._record(running.trial, outcome)
        except RunError as error:
            ending = Ending("error", "NoRecord", f"what it gave makes no record: {error}")
            return self.failed(running.trial, ending, running.child.folder)

    def failed(self, trial: Trial, ending: Ending, attempt: Path) -> Record:
        """Return the record of a trial that failed without an outcome, with the end of its log as traceback."""
        return self._record(trial, _failed(ending, attempt))

    def not_applicable(self, trial: Trial) -> Record:
        """Return the record of a trial that is never started because its strategy does not fit."""
        failure = dataclasses.asdict(Failure("NotApplicable", trial.not_applicable or ""))
        return self._record(trial, {"status": "not-applicable", "failure": failure})

    def _with_costs(self, measured: list[Measurement], shared: list[Shared], seconds: float) -> list[Measurement]:
        """Add wall time, charged time and costs; keep only scores if the suite measures quality only."""
        wall_time = Measurement("wall_time", seconds, "s", "lower", method=_WALL_TIME, scope="whole trial")
        known = [without_shared(m, shared) for m in (*measured, wall_time)]
        charged = charged_time(seconds, shared)
        assert charged.value is not None
        known += [charged, *cost_measurements(self.suite.cost, charged.value, known)]
        return [scores_only(m) for m in known] if self.suite.measure.quality_only else known

    def _record(self, trial: Trial, outcome: dict[str, Any]) -> Record:
        """Return the record as it is read back from its JSON.

        Raises:
            RunError: the outcome does not make a valid record.
        """
        task: Any = self.catalog.find("tasks", trial.stages[0].task.use)
        table = {
            "schema": "ftbench.record/1",
            "id": trial.id,
            "cell": trial.cell,
            "environment": self.fingerprint,
            "trial": dataclasses.asdict(trial),
            "primary": trial.stages[0].metric or task.primary,
            "attempts": self.store.attempts(trial.id, self.fingerprint),
            "earlier": [dataclasses.asdict(attempt) for attempt in self.store.earlier(trial.id, self.fingerprint)],
            **outcome,
        }
        return Record.from_json(json.dumps(table))


def as_attempt(record: Record) -> Attempt:
    """Return what a record says about its last attempt, for a trial that will be tried again."""
    failure, wall = record.failure or Failure("", ""), record.measurement("wall_time")
    return Attempt(record.attempts, record.status, failure.kind, failure.message, wall.value if wall else None)


def _read_outcome(running: RunningTrial) -> dict[str, Any]:
    """Read the outcome file of a trial, or classify how its process died."""
    folder = running.child.folder
    if running.stopped is not None:
        return _failed(running.stopped, folder)
    try:
        outcome: dict[str, Any] = json.loads((folder / OUTCOME).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return _failed(of_exit(running.child.exit()), folder)
    return outcome


def _failed(ending: Ending, attempt: Path) -> dict[str, Any]:
    tail = end_of(attempt / PRINTED)
    return {"status": ending.status, "failure": dataclasses.asdict(Failure(ending.kind, ending.message, tail or None))}


def _complete_phases(outcome: dict[str, Any], running: RunningTrial, ended: float) -> None:
    """Add the start and the exit of the process, which the trial cannot time; all phases if the trial died."""
    phases = outcome.setdefault("phases", [])
    if "ended" not in outcome:
        phases += [dataclasses.asdict(phase) for phase in phases_of(running.watch.spans, ended)]
        return
    phases[0]["seconds"] += max(0.0, outcome.pop("began") - running.child.started)
    phases.append({"name": "exit", "seconds": ended - outcome.pop("ended")})
