"""Run a suite: what is done, what is to do, hand it to a process each, commit what comes back."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import threading
import time
import traceback
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .cost import cost_measurements
from .edges import note_edge, phases_of
from .errors import UserError
from .fetching import fetch, pins
from .fingerprint import cache_folder, digest, environment
from .gpu import visible_gpus
from .isolation import Child, Isolation, wait_for_any
from .measurement import Measurement, disturbed
from .meter import Watch
from .predictions import PREDICTIONS
from .record import Failure, Record
from .slots import open_slots
from .spec import Spec
from .store import Store
from .suite import seconds
from .trial import foresee, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .catalog import Catalog
    from .device import DeviceState
    from .meter import Meter
    from .plugins import Plugins, Selection
    from .slots import Slot
    from .suite import Suite
    from .trial import Foreseen, Trial

POLL = 0.2
WALL = "from the start of the trial's process to its end, nothing left out"


@dataclass(frozen=True)
class Outcome:
    """What a run left."""

    folder: Path
    """The run directory."""
    statuses: dict[str, str]
    """Trial id → status, for every planned trial that has a record."""
    planned: int
    """How many trials the suite has."""
    ran: int
    """How many were run just now."""
    interrupted: bool = False


@dataclass
class _Running:
    """A trial under way."""

    trial: Trial
    child: Child
    slot: Slot
    meters: list[Meter]
    watch: Watch
    broken: Failure | None = None
    """A meter that raised."""
    last_sign: float = field(default_factory=time.monotonic)
    read: int = 0
    stopped_because: str | None = None


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


def run_suite(suite: Suite, plugins: Plugins, selection: Selection, runs: Path, say: Callable[[str], None] = lambda _: None) -> Outcome:
    """Run what is not done yet of a suite.

    Args:
        suite: what to run.
        plugins: offers and observers.
        selection: how trial processes find the same plugins.
        runs: the folder of run directories.
        say: is told what is downloaded, where the suite allows that.

    Raises:
        SuiteError: the suite cannot be planned, or what it names on the hub cannot be downloaded.
        RunError: the run directory cannot be used.
    """
    catalog = plugins.catalog()
    fetch(suite, catalog, say)
    trials = plan_here(suite, plugins, catalog)
    store = Store(runs / suite.name)
    device = choose_device(suite.machine.device)
    fingerprint = digest(environment(f"{device}:0" if device == "cuda" else device))
    found = {trial.id: store.status(trial.id, fingerprint) for trial in trials}
    to_do = [trial for trial in trials if found[trial.id] is None]
    statuses = {key: status for key, status in found.items() if status is not None}
    lock = _without_none({**dataclasses.asdict(suite), "hub": pins(suite, catalog)})
    places = {trial.id: trial.place for trial in trials}
    if not to_do and store.is_locked(lock, places, fingerprint):
        return Outcome(store.folder, statuses, len(trials), 0)
    store.claim()
    try:
        store.lock_suite(lock, places, fingerprint)
        if not to_do:
            # What is done is done, but the suite may ask for fewer trials now, or hold them to something else.
            return Outcome(store.folder, statuses, len(trials), 0)
        plugins.suite_started(suite, to_do)
        with open_slots(device) as slots:
            run = _Run(suite, plugins, catalog, selection, store=store, fingerprint=fingerprint, slots=slots)
            statuses.update(run.work(to_do))
        done = [store.record(trial.id, fingerprint) for trial in trials if trial.id in statuses]
        plugins.suite_finished(suite, done)
    finally:
        store.release()
    return Outcome(store.folder, statuses, len(trials), run.ran, run.interrupted)


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
            return store.status(trial.id, fingerprint) is not None or (trial.id in run.work([trial]) and not run.interrupted)

        plugins.suite_started(suite, trials)
        yield OpenRun(store.folder, tuple(trials), work)
        plugins.suite_finished(
            suite, [store.record(trial.id, fingerprint) for trial in trials if store.status(trial.id, fingerprint) is not None]
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
        self.isolation = Isolation()
        self.interrupted = False
        self.ran = 0
        self._hurry = False

    def work(self, trials: list[Trial]) -> dict[str, str]:
        waiting, running = deque(trials), list[_Running]()
        statuses: dict[str, str] = {}
        with self._interruptible():
            while running or (waiting and not self.interrupted):
                while waiting and self.slots and not self.interrupted:
                    if waiting[0].not_applicable is not None:
                        trial = waiting.popleft()
                        statuses[trial.id] = self._commit(trial, self._not_applicable(trial)).status
                        continue
                    free = self._free_slot()
                    if free is None:
                        break
                    running.append(self._start(waiting.popleft(), *free))
                if running:
                    wait_for_any([one.child for one in running], POLL)
                elif waiting:
                    time.sleep(POLL)
                for one in list(running):
                    self._read_events(one)
                    self._check_limits(one)
                    if not one.child.alive:
                        running.remove(one)
                        self.slots.append(one.slot)
                        statuses[one.trial.id] = self._finish(one).status
        return {key: status for key, status in statuses.items() if status != "cancelled"}

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let Ctrl-C once finish the running trials, twice stop them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupt(*_: object) -> None:
            self._hurry = self.interrupted
            self.interrupted = True

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _free_slot(self) -> tuple[Slot, DeviceState] | None:
        """Take the first slot whose device is as it was; None where all must be waited for."""
        for slot in self.slots:
            state = slot.hand_over.state()
            if state is not None:
                self.slots.remove(slot)
                return slot, state
        return None

    # -- one trial ---------------------------------------------------------------------------------------------------------

    def _start(self, trial: Trial, slot: Slot, before: DeviceState) -> _Running:
        folder = self.store.new_attempt(trial.id, self.fingerprint)
        spec = Spec(trial, slot.device, str(cache_folder()), self.selection.files, self.selection.without)
        (folder / "spec.json").write_text(json.dumps(dataclasses.asdict(spec), indent=1), encoding="utf-8")
        variables = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUBLAS_WORKSPACE_CONFIG": ":4096:8", **slot.variables}
        self.plugins.trial_started(trial)
        child = self.isolation.start(folder, variables)
        built: list[Meter] = [self.catalog.build("meters", name, {}) for name in trial.meters]
        meters = [meter for meter in built if meter.where == "runner"]
        one = _Running(trial, child, slot, meters, Watch(slot.name, child.pid, probe=slot.probe, before=before))
        with _noted(one):
            for meter in meters:
                meter.start(one.watch)
        self.ran += 1
        return one

    def _read_events(self, one: _Running) -> None:
        """Read whole new lines; a torn last line is read next time."""
        try:
            with (one.child.folder / "events.jsonl").open("rb") as stream:
                stream.seek(one.read)
                fresh = stream.read()
        except FileNotFoundError:
            return
        whole = fresh[: fresh.rfind(b"\n") + 1]
        one.read += len(whole)
        for line in whole.splitlines():
            one.last_sign = time.monotonic()
            event = json.loads(line)
            note_edge(one.watch.spans, event)
            if event.get("event") == "step":
                self.plugins.step_finished(one.trial, event["step"], event["steps"], event["loss"])

    def _check_limits(self, one: _Running) -> None:
        now = time.monotonic()
        limits = self.suite.limits
        if self._hurry:
            one.stopped_because = "cancelled"
        elif now - one.child.started > seconds(limits.trial):
            one.stopped_because = f"longer than limits.trial = {limits.trial}"
        elif now - one.last_sign > seconds(limits.no_progress):
            one.stopped_because = f"no sign of life for limits.no_progress = {limits.no_progress}"
        if one.stopped_because and one.child.alive:
            one.child.stop()

    def _finish(self, one: _Running) -> Record:
        one.child.sweep()
        now = time.monotonic()
        seconds_taken = now - one.child.started
        self._read_events(one)
        measurements: list[Measurement] = []
        disturbances: list[str] = []
        with _noted(one):
            for meter in one.meters if one.broken is None else ():
                measurements += meter.stop()
                disturbances += meter.disturbances()
        outcome = self._outcome(one)
        _complete_phases(outcome, one, now)
        known = [*(Measurement(**m) for m in outcome.get("measurements", ())), *measurements]
        known.append(Measurement("wall_time", seconds_taken, "s", "lower", method=WALL, scope="whole trial"))
        known += cost_measurements(self.suite.cost, seconds_taken, known)
        outcome["measurements"] = [dataclasses.asdict(disturbed(m, disturbances)) for m in known]
        if one.broken is not None and outcome["status"] == "ok":
            outcome |= {"status": "error", "failure": dataclasses.asdict(one.broken)}
        record = self._record(one.trial, outcome, self.store.attempts(one.trial.id, self.fingerprint))
        if record.status == "cancelled":
            return record
        return self._commit(one.trial, record, one.child.folder / PREDICTIONS)

    def _outcome(self, one: _Running) -> dict[str, Any]:
        """Read what the child left, or classify how it died."""
        if one.stopped_because == "cancelled":
            return {"status": "cancelled"}
        if one.stopped_because:
            return _died("timeout", "Timeout", one.stopped_because, one.child.folder)
        try:
            outcome: dict[str, Any] = json.loads((one.child.folder / "outcome.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return _died("error", "ProcessDied", one.child.ending(), one.child.folder)
        return outcome

    def _not_applicable(self, trial: Trial) -> Record:
        failure = dataclasses.asdict(Failure("NotApplicable", trial.not_applicable or ""))
        return self._record(trial, {"status": "not-applicable", "failure": failure}, 0)

    def _record(self, trial: Trial, outcome: dict[str, Any], attempts: int) -> Record:
        table = {
            "schema": "ftbench.record/1",
            "id": trial.id,
            "cell": trial.cell,
            "environment": self.fingerprint,
            "trial": dataclasses.asdict(trial),
            "primary": self.catalog.find("tasks", trial.stages[0].task.use).primary,  # type: ignore[attr-defined]  # every task has one
            "attempts": attempts,
            **outcome,
        }
        return Record.from_json(json.dumps(table))

    def _commit(self, trial: Trial, record: Record, predictions: Path | None = None) -> Record:
        self.store.commit(record, predictions)
        self.plugins.trial_finished(trial, record)
        return record


def _complete_phases(outcome: dict[str, Any], one: _Running, now: float) -> None:
    """Add what the trial could not see of itself: its process being made and taken down; or, where it died, everything."""
    phases = outcome.setdefault("phases", [])
    if "ended" not in outcome:
        phases += [dataclasses.asdict(phase) for phase in phases_of(one.watch.spans, now)]
        return
    phases[0]["seconds"] += max(0.0, outcome.pop("began") - one.child.started)
    phases.append({"name": "exit", "seconds": now - outcome.pop("ended")})


@contextmanager
def _noted(one: _Running) -> Iterator[None]:
    """Let a meter that raises end its trial, not the run."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is its trial's failure
        one.broken = Failure(type(error).__name__, f"a meter raised: {error}", traceback.format_exc())


def _died(status: str, kind: str, message: str, folder: Path) -> dict[str, Any]:
    tail = _tail(folder / "output.log")
    return {"status": status, "failure": dataclasses.asdict(Failure(kind, message, tail or None))}


def _tail(path: Path, size: int = 4000) -> str:
    """Give the end of a log, however long the log is."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - size))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _without_none(value: Any) -> Any:
    """Drop what TOML cannot say."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
