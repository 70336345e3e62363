"""The loop over trials: start each in its own process, commit its record, retry what the machine ended."""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from ..api.meter import Watch
from ..fingerprint import cache_folder
from ..records.predictions import PREDICTIONS
from ..suite.suite import checkpoint_seconds
from ..training.failures import Ending
from ..training.messages import Spec
from .assemble_record import RecordAssembler, as_attempt
from .interrupt import Interruption
from .running_trial import RunningTrial
from .trial_process import TrialLauncher, wait_for_any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..api.catalog import Catalog
    from ..api.device import DeviceState
    from ..api.meter import Meter
    from ..plugins import Plugins, Selection
    from ..records.record import Record
    from ..records.store import Store
    from ..suite.suite import Suite
    from ..suite.trial import Trial
    from .slots import Slot

_POLL = 0.2
"""Seconds between two looks at the running trials."""


class TrialLoop:
    """Runs trials of one suite on the slots of a machine, several at a time if there are several slots."""

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
        """The free slots; shared with other loops that take turns with this one."""
        self.started = 0
        """Number of trial processes started so far."""
        self._launcher = TrialLauncher(all_plugins=not selection.without)
        self._assembler = RecordAssembler(suite, catalog, store, fingerprint)
        self._under_way: dict[str, Trial] = {}
        """The trials that are running or about to start, by id."""
        self._interruption = Interruption(lambda: list(self._under_way.values()), self._announce)
        self._retries = Counter[str]()

    @property
    def interrupted(self) -> bool:
        """Whether no further trial may start."""
        return self._interruption.requested

    def run(self, trials: list[Trial]) -> dict[str, str]:
        """Run trials and return id → status of those that have a record afterwards."""
        waiting, running = deque(trials), list[RunningTrial]()
        statuses: dict[str, str] = {}
        try:
            with self._interruption.handling_signals():
                while running or (waiting and not self.interrupted):
                    self._fill_slots(waiting, running, statuses)
                    if running:
                        wait_for_any([one.child for one in running], _POLL)
                    elif waiting:
                        time.sleep(_POLL)
                    for one in list(running):
                        one.read_events(self.plugins.step_finished)
                        one.enforce(self.suite.limits, cancel=self._interruption.immediate)
                        if not one.child.alive:
                            running.remove(one)
                            self.slots.append(one.slot)
                            self._settle(one.trial, self._finish(one), one.child.folder, waiting, statuses)
        finally:
            # After an error, such as a full disk, no trial may outlive this loop.
            for one in running:
                one.child.reap()
            self._under_way.clear()
        return statuses

    def _announce(self, trials: Sequence[Trial], immediate: bool) -> None:
        self.plugins.run_interrupted(list(trials), immediate=immediate)

    def _fill_slots(self, waiting: deque[Trial], running: list[RunningTrial], statuses: dict[str, str]) -> None:
        """Start waiting trials while slots are free."""
        while waiting and self.slots and not self.interrupted:
            if waiting[0].not_applicable is not None:
                trial = waiting.popleft()
                statuses[trial.id] = self._commit(trial, self._assembler.not_applicable(trial)).status
                continue
            free = self._take_slot()
            if free is None:
                return
            trial = waiting.popleft()
            self._under_way[trial.id] = trial
            folder = self._open_attempt(trial, free[0])
            try:
                running.append(self._start(trial, folder, *free))
            except (OSError, KeyboardInterrupt) as error:
                self.slots.append(free[0])
                record = self._assembler.failed(trial, _not_started(error), folder)
                self._settle(trial, record, folder, waiting, statuses)

    def _take_slot(self) -> tuple[Slot, DeviceState] | None:
        """Take the first slot whose device is free and return it with the device's state; None if none is free."""
        for slot in self.slots:
            state = slot.release.state()
            if state is not None:
                self.slots.remove(slot)
                return slot, state
        return None

    def _open_attempt(self, trial: Trial, slot: Slot) -> Path:
        """Create the folder of the trial's next attempt, with its `spec.json`."""
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
        # The first start waits until the fork server has imported its libraries.
        with self._interruption.raising():
            child = self._launcher.start(folder, variables, slot.cores)
        built: list[Meter] = [self.catalog.build("meters", name, {}) for name in trial.meters]
        meters = [meter for meter in built if meter.where == "runner"]
        one = RunningTrial(trial, child, slot, meters, Watch(slot.name, child.pid, probe=slot.probe, before=before))
        one.start_meters()
        self.started += 1
        return one

    def _finish(self, one: RunningTrial) -> Record:
        """Clean up after a process that has ended, and return the trial's record."""
        one.child.reap()
        ended = time.monotonic()
        one.read_events(self.plugins.step_finished)
        return self._assembler.finished(one, one.stop_meters(), ended)

    def _settle(
        self, trial: Trial, record: Record, folder: Path, waiting: deque[Trial], statuses: dict[str, str]
    ) -> None:
        """Commit a trial's record, or only note the attempt if the trial is left for a retry or for the next run."""
        self._under_way.pop(trial.id, None)
        again = record.status == "infra" and (self.interrupted or self._retries[trial.id] < self.suite.limits.retries)
        if not again and record.status != "cancelled":
            statuses[trial.id] = self._commit(trial, record, folder / PREDICTIONS).status
            return
        attempt = as_attempt(record)
        self.store.note_attempt(trial.id, self.fingerprint, attempt)
        if again and not self.interrupted:
            self._retries[trial.id] += 1
            waiting.append(trial)
            self.plugins.trial_retried(trial, attempt)

    def _commit(self, trial: Trial, record: Record, predictions: Path | None = None) -> Record:
        self.store.commit(record, predictions)
        self.plugins.trial_finished(trial, record)
        return record


def _not_started(error: OSError | KeyboardInterrupt) -> Ending:
    if isinstance(error, OSError):
        return Ending("infra", "NotStarted", f"its process could not be started: {error.strerror or error}")
    return Ending("cancelled", "Cancelled", "stopped by the user while its process started")
