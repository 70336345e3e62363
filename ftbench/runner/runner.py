"""Run a suite: what is done, what is to do, hand it to a process each, commit what comes back."""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..api.measurement import Measurement, Shared, checked, disturbed, scores_only
from ..api.meter import Watch
from ..data.downloads import fetch, pins
from ..environment import environment, visible_gpus
from ..errors import RunError, UserError
from ..fingerprint import cache_folder, digest
from ..records.predictions import PREDICTIONS
from ..records.record import Attempt, Failure, Record
from ..records.store import Store
from ..records.trial_log import PRINTED, end_of
from ..suite.planning import foresee, plan
from ..suite.suite import checkpoint_seconds
from ..suite.tuner import Tuner
from ..training.failures import Ending, of_exit
from ..training.messages import OUTCOME, Spec, phases_of
from .cost import charged_time, cost_measurements, without_shared
from .interrupt import Interruption
from .running_trial import RunningTrial
from .schedule import Agenda
from .slots import open_slots
from .trial_process import Isolation, wait_for_any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..api.catalog import Catalog
    from ..api.device import DeviceState
    from ..api.measurement import Samples
    from ..api.meter import Meter
    from ..plugins import Plugins, Selection
    from ..suite.planning import Foreseen
    from ..suite.selection import Chosen
    from ..suite.suite import Suite
    from ..suite.trial import Trial
    from .slots import Slot

POLL = 0.2
WALL = "from the start of the trial's process to its end, nothing left out"


@dataclass(frozen=True)
class Outcome:
    """What a run left."""

    folder: Path
    """The run directory."""
    statuses: dict[str, str]
    """Trial id → status, for every trial that was meant and has a record."""
    planned: int
    """How many trials were meant."""
    ran: int
    """How many were run just now."""
    interrupted: bool = False


def choose_device(wanted: str) -> str:
    """Give `cuda` where it is wanted or there is a card, else `cpu`.

    Raises:
        UserError: a GPU is wanted and there is none.
    """
    if wanted == "cpu":
        return "cpu"
    found = bool(visible_gpus())
    if wanted == "cuda" and not found:
        raise UserError("machine.device: 'cuda' is asked for, and NVML finds no GPU here")
    return "cuda" if found else "cpu"


def plan_here(suite: Suite, plugins: Plugins, catalog: Catalog) -> list[Trial]:
    """Plan a suite for this machine, plugins having their say."""
    trials = plan(suite, catalog, choose_device(suite.machine.device))
    plugins.trials_planned(suite, trials)
    return trials


def foresee_here(suite: Suite, plugins: Plugins, catalog: Catalog) -> Foreseen:
    """Plan for this machine what can be planned before anything is downloaded."""
    foreseen = foresee(suite, catalog, choose_device(suite.machine.device))
    plugins.trials_planned(suite, foreseen.trials)
    return foreseen


def run_suite(
    suite: Suite,
    plugins: Plugins,
    selection: Selection,
    runs: Path,
    say: Callable[[str], None] = lambda _: None,
    *,
    chosen: Chosen | None = None,
    again: bool = False,
) -> Outcome:
    """Run what is not done yet of a suite.

    Args:
        suite: what to run.
        plugins: offers and observers.
        selection: how trial processes find the same plugins.
        runs: the folder of run directories.
        say: is told what is downloaded, where the suite allows that.
        chosen: which trials are meant; all by default. The others stay in the plan, and in the reports where they are done.
        again: whether those that failed are run once more, and nothing else.

    Raises:
        SuiteError: the suite cannot be planned, or what it names on the hub cannot be downloaded.
        RunError: the run directory cannot be used.
    """
    catalog = plugins.catalog()
    fetch(suite, catalog, say)
    tuner = Tuner(suite, plan_here(suite, plugins, catalog), catalog)
    store = Store(runs / suite.name)
    device = choose_device(suite.machine.device)
    fingerprint = digest(environment(f"{device}:0" if device == "cuda" else device))
    lock = _without_none({**dataclasses.asdict(suite), "hub": pins(suite, catalog)})
    agenda = Agenda(tuner, store, fingerprint, lock, chosen, again=again)
    to_do = agenda.further()
    if not to_do and agenda.is_noted():
        return Outcome(store.folder, agenda.statuses, agenda.planned, 0)
    store.claim()
    try:
        # Another runner may have been at work until just now.
        to_do = agenda.again_from_the_start()
        agenda.note()
        agenda.reopen(to_do)
        if not to_do:
            # What is done is done, but the suite may ask for fewer trials now, or hold them to something else.
            return Outcome(store.folder, agenda.statuses, agenda.planned, 0)
        plugins.suite_started(suite, to_do)
        with open_slots(device, suite.machine) as slots:
            run = _Run(suite, plugins, catalog, selection, store=store, fingerprint=fingerprint, slots=slots)
            run.work(to_do)
            while not run.interrupted and (more := agenda.advance()):
                plugins.trials_added(suite, more)
                run.work(more)
        agenda.look()
        plugins.suite_finished(suite, agenda.records())
    finally:
        store.release()
    return Outcome(store.folder, agenda.statuses, agenda.planned, run.ran, run.interrupted)


@dataclass(frozen=True)
class OpenRun:
    """A run directory that is this process's for the time being, and its trials."""

    folder: Path
    trials: tuple[Trial, ...]
    work: Callable[[Trial], bool]
    """Run a trial that has no record; tells whether it has one afterwards, and nobody asked to stop."""


@contextmanager
def open_run(suite: Suite, plugins: Plugins, selection: Selection, runs: Path, slots: list[Slot]) -> Iterator[OpenRun]:
    """Plan a suite and let its trials be run one by one, in any order and in turn with those of another run; see `run_suite`."""
    if suite.tuning is not None:
        raise UserError(
            f"{suite.source}: tuning: two versions are compared at the same values; write the chosen ones into the suite"
        )
    catalog = plugins.catalog()
    trials = plan_here(suite, plugins, catalog)
    store = Store(runs / suite.name)
    device = choose_device(suite.machine.device)
    fingerprint = digest(environment(f"{device}:0" if device == "cuda" else device))
    store.claim()
    try:
        lock = _without_none({**dataclasses.asdict(suite), "hub": pins(suite, catalog)})
        store.lock_suite(lock, {trial.id: trial.place for trial in trials}, fingerprint)
        run = _Run(suite, plugins, catalog, selection, store=store, fingerprint=fingerprint, slots=slots)

        def work(trial: Trial) -> bool:
            return store.status(trial.id, fingerprint) is not None or (
                trial.id in run.work([trial]) and not run.interrupted
            )

        plugins.suite_started(suite, trials)
        yield OpenRun(store.folder, tuple(trials), work)
        plugins.suite_finished(
            suite,
            [
                store.record(trial.id, fingerprint)
                for trial in trials
                if store.status(trial.id, fingerprint) is not None
            ],
        )
    finally:
        store.release()


class _Run:
    def __init__(
        self,
        suite: Suite,
        plugins: Plugins,
        catalog: Catalog,
        selection: Selection,
        *,
        store: Store,
        fingerprint: str,
        slots: list[Slot],
    ) -> None:
        self.suite, self.plugins, self.catalog, self.selection = suite, plugins, catalog, selection
        self.store, self.fingerprint = store, fingerprint
        self.slots = slots
        self.isolation = Isolation(whole=not selection.without)
        self.interruption = Interruption()
        self.ran = 0
        self._retried = Counter[str]()

    @property
    def interrupted(self) -> bool:
        """Whether nothing more is to be started."""
        return self.interruption.asked

    def work(self, trials: list[Trial]) -> dict[str, str]:
        waiting, running = deque(trials), list[RunningTrial]()
        statuses: dict[str, str] = {}
        try:
            with self.interruption.listening():
                while running or (waiting and not self.interrupted):
                    self._start_some(waiting, running, statuses)
                    if running:
                        wait_for_any([one.child for one in running], POLL)
                    elif waiting:
                        time.sleep(POLL)
                    for one in list(running):
                        one.read_events(self.plugins.step_finished)
                        one.check(self.suite.limits, hurry=self.interruption.hurry)
                        if not one.child.alive:
                            running.remove(one)
                            self.slots.append(one.slot)
                            self._settle(one.trial, self._finish(one), one.child.folder, waiting, statuses)
        finally:
            # Whatever has stopped this, such as a disk that is full: no trial goes on without its runner.
            for one in running:
                one.child.sweep()
        return statuses

    def _start_some(self, waiting: deque[Trial], running: list[RunningTrial], statuses: dict[str, str]) -> None:
        """Start trials where there is room for them."""
        while waiting and self.slots and not self.interrupted:
            if waiting[0].not_applicable is not None:
                trial = waiting.popleft()
                statuses[trial.id] = self._commit(trial, self._not_applicable(trial)).status
                continue
            free = self._free_slot()
            if free is None:
                return
            trial = waiting.popleft()
            folder = self._open_attempt(trial, free[0])
            try:
                running.append(self._start(trial, folder, *free))
            except OSError as error:
                self.slots.append(free[0])
                ending = Ending("infra", "NotStarted", f"its process could not be started: {error.strerror or error}")
                record = self._record(trial, _failed(ending, folder))
                self._settle(trial, record, folder, waiting, statuses)

    def _settle(
        self, trial: Trial, record: Record, folder: Path, waiting: deque[Trial], statuses: dict[str, str]
    ) -> None:
        """Commit how a trial ended; or, where the machine or a user ended it, leave it to be done: now or by the next run."""
        again = record.status == "infra" and (self.interrupted or self._retried[trial.id] < self.suite.limits.retries)
        if not again and record.status != "cancelled":
            statuses[trial.id] = self._commit(trial, record, folder / PREDICTIONS).status
            return
        attempt = _as_attempt(record)
        self.store.note_attempt(trial.id, self.fingerprint, attempt)
        if again and not self.interrupted:
            self._retried[trial.id] += 1
            waiting.append(trial)
            self.plugins.trial_retried(trial, attempt)

    def _free_slot(self) -> tuple[Slot, DeviceState] | None:
        """Take the first slot whose device is as it was; None where all must be waited for."""
        for slot in self.slots:
            state = slot.hand_over.state()
            if state is not None:
                self.slots.remove(slot)
                return slot, state
        return None

    # -- one trial ---------------------------------------------------------------------------------------------------------

    def _open_attempt(self, trial: Trial, slot: Slot) -> Path:
        folder = self.store.new_attempt(trial.id, self.fingerprint)
        spec = Spec(
            trial,
            slot.device,
            str(cache_folder()),
            self.selection.files,
            self.selection.without,
            str(self.store.checkpoints(trial.id, self.fingerprint)),
            checkpoint_seconds(self.suite.machine),
        )
        self.store.write(folder / "spec.json", json.dumps(dataclasses.asdict(spec), indent=1))
        return folder

    def _start(self, trial: Trial, folder: Path, slot: Slot, before: DeviceState) -> RunningTrial:
        variables = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUBLAS_WORKSPACE_CONFIG": ":4096:8", **slot.variables}
        self.plugins.trial_started(trial)
        child = self.isolation.start(folder, variables, slot.cores)
        built: list[Meter] = [self.catalog.build("meters", name, {}) for name in trial.meters]
        meters = [meter for meter in built if meter.where == "runner"]
        one = RunningTrial(trial, child, slot, meters, Watch(slot.name, child.pid, probe=slot.probe, before=before))
        with one.metering():
            for meter in meters:
                meter.start(one.watch)
        self.ran += 1
        return one

    def _finish(self, one: RunningTrial) -> Record:
        one.child.sweep()
        now = time.monotonic()
        one.read_events(self.plugins.step_finished)
        measurements: list[Measurement] = []
        disturbances: list[str] = []
        samples: list[Samples] = []
        with one.metering():
            for meter in one.meters if one.broken is None else ():
                measurements += checked(meter.stop())
                disturbances += meter.disturbances()
                samples += meter.samples()
        outcome = self._outcome(one)
        disturbances += outcome.pop("disturbances", ())
        # A process may be ahead of whoever asked for it.
        seconds_taken = now - min(one.child.started, outcome.get("began", one.child.started))
        _complete_phases(outcome, one, now)
        known = [*(Measurement(**m) for m in outcome.get("measurements", ())), *measurements]
        known.append(Measurement("wall_time", seconds_taken, "s", "lower", method=WALL, scope="whole trial"))
        shared = [Shared(**one) for one in outcome.get("shared", ())]
        known = [without_shared(m, shared) for m in known]
        charged = charged_time(seconds_taken, shared)
        assert charged.value is not None
        known += [charged, *cost_measurements(self.suite.cost, charged.value, known)]
        if self.suite.measure.quality_only:
            known = [scores_only(m) for m in known]
        outcome["samples"] = [dataclasses.asdict(series) for series in samples]
        outcome["measurements"] = [dataclasses.asdict(disturbed(m, disturbances)) for m in known]
        if one.broken is not None and outcome["status"] == "ok":
            outcome |= {"status": "error", "failure": dataclasses.asdict(one.broken)}
        try:
            return self._record(one.trial, outcome)
        except RunError as error:
            ending = Ending("error", "NoRecord", f"what it gave makes no record: {error}")
            return self._record(one.trial, _failed(ending, one.child.folder))

    def _outcome(self, one: RunningTrial) -> dict[str, Any]:
        """Read what the child left, or classify how it died."""
        folder = one.child.folder
        if one.stopped is not None:
            return _failed(one.stopped, folder)
        try:
            outcome: dict[str, Any] = json.loads((folder / OUTCOME).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return _failed(of_exit(one.child.exit()), folder)
        return outcome

    def _not_applicable(self, trial: Trial) -> Record:
        failure = dataclasses.asdict(Failure("NotApplicable", trial.not_applicable or ""))
        return self._record(trial, {"status": "not-applicable", "failure": failure})

    def _record(self, trial: Trial, outcome: dict[str, Any]) -> Record:
        table = {
            "schema": "ftbench.record/1",
            "id": trial.id,
            "cell": trial.cell,
            "environment": self.fingerprint,
            "trial": dataclasses.asdict(trial),
            "primary": self.catalog.find("tasks", trial.stages[0].task.use).primary,  # type: ignore[attr-defined]  # every task has one
            "attempts": self.store.attempts(trial.id, self.fingerprint),
            "earlier": [dataclasses.asdict(one) for one in self.store.earlier(trial.id, self.fingerprint)],
            **outcome,
        }
        return Record.from_json(json.dumps(table))

    def _commit(self, trial: Trial, record: Record, predictions: Path | None = None) -> Record:
        self.store.commit(record, predictions)
        self.plugins.trial_finished(trial, record)
        return record


def _complete_phases(outcome: dict[str, Any], one: RunningTrial, now: float) -> None:
    """Add what the trial could not see of itself: its process being made and taken down; or, where it died, everything."""
    phases = outcome.setdefault("phases", [])
    if "ended" not in outcome:
        phases += [dataclasses.asdict(phase) for phase in phases_of(one.watch.spans, now)]
        return
    phases[0]["seconds"] += max(0.0, outcome.pop("began") - one.child.started)
    phases.append({"name": "exit", "seconds": now - outcome.pop("ended")})


def _failed(ending: Ending, folder: Path) -> dict[str, Any]:
    tail = end_of(folder / PRINTED)
    return {"status": ending.status, "failure": dataclasses.asdict(Failure(ending.kind, ending.message, tail or None))}


def _as_attempt(record: Record) -> Attempt:
    failure, wall = record.failure or Failure("", ""), record.measurement("wall_time")
    return Attempt(record.attempts, record.status, failure.kind, failure.message, wall.value if wall else None)


def _without_none(value: Any) -> Any:
    """Drop what TOML cannot say."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
