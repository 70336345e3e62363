"""Run suites: plan one for this machine, run its unfinished trials, commit their records."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..data.downloads import fetch, pins
from ..environment import environment
from ..errors import UserError
from ..fingerprint import digest
from ..records.data_check import write_data_check
from ..records.store import Store
from ..suite.tuner import Tuner
from .local_plan import choose_device, plan_here
from .schedule import Schedule
from .slots import open_slots
from .trial_loop import TrialLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..api.catalog import Catalog
    from ..plugins import Plugins, Selection
    from ..records.data_check import DataCheck, Severity
    from ..suite.selection import Chosen
    from ..suite.suite import Suite
    from ..suite.trial import Trial
    from .slots import Slot


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    folder: Path
    """The run directory."""
    statuses: dict[str, str]
    """Trial id → status, for every selected trial that has a record."""
    planned: int
    """Number of selected trials."""
    ran: int
    """Number of trials this run started, retries included."""
    interrupted: bool = False
    """Whether the user stopped the run."""


def run_suite(
    suite: Suite,
    plugins: Plugins,
    selection: Selection,
    runs: Path,
    say: Callable[[str], None] = lambda _: None,
    *,
    chosen: Chosen | None = None,
    again: bool = False,
    tolerated: Severity = "warning",
) -> Outcome:
    """Run the unfinished trials of a suite.

    Args:
        suite: the suite to run.
        plugins: plugins that provide components and observe the run.
        selection: how trial processes find the same plugins.
        runs: the folder of run directories.
        say: called with a line for each download, if the suite allows downloads, and for each flaw of the data.
        chosen: which trials to run; all by default. The others stay in the plan, and in the reports if they are done.
        again: rerun failed trials, and nothing else.
        tolerated: the most severe flaw of the data with which trials may run.

    Raises:
        SuiteError: the suite cannot be planned, a model or data set cannot be downloaded from the Hub, or the data have
            a flaw that is not tolerated.
        RunError: the run directory cannot be used.
    """
    catalog = plugins.catalog()
    fetch(suite, catalog, say)
    tuner = Tuner(suite, plan_here(suite, plugins, catalog), catalog)
    store = Store(runs / suite.name)
    device = choose_device(suite.machine.device)
    fingerprint = _environment_fingerprint(device)
    schedule = Schedule(tuner, store, fingerprint, _lock_table(suite, catalog), chosen, again=again)
    unfinished = schedule.next_trials()
    if not unfinished and schedule.is_saved():
        return Outcome(store.folder, schedule.statuses, schedule.planned, 0)
    check = _checked_data(suite, catalog, unfinished, tolerated, say) if unfinished else None
    store.claim()
    try:
        # Another runner may have finished trials before this one got the run lock.
        unfinished = schedule.restart()
        schedule.save()
        if check is not None:
            write_data_check(store.folder, check)
        schedule.reopen(unfinished)
        if not unfinished:
            # All trials are done, but the saved plan was outdated: the suite has changed.
            return Outcome(store.folder, schedule.statuses, schedule.planned, 0)
        plugins.suite_started(suite, unfinished)
        with open_slots(device, suite.machine) as slots:
            loop = TrialLoop(suite, plugins, catalog, selection, store=store, fingerprint=fingerprint, slots=slots)
            loop.run(unfinished)
            while not loop.interrupted and (added := schedule.advance()):
                plugins.trials_added(suite, added)
                loop.run(added)
        schedule.refresh()
        plugins.suite_finished(suite, schedule.records())
    finally:
        store.release()
    return Outcome(store.folder, schedule.statuses, schedule.planned, loop.started, loop.interrupted)


def _checked_data(
    suite: Suite, catalog: Catalog, trials: Sequence[Trial], tolerated: Severity, say: Callable[[str], None]
) -> DataCheck:
    from ..data.suite_data import check_before_run

    tasks = {stage.task.label for trial in trials for stage in trial.stages}
    return check_before_run(suite, catalog, tasks, tolerated, say)


@dataclass(frozen=True)
class OpenRun:
    """A run directory that this process holds the run lock of, and its trials."""

    folder: Path
    trials: tuple[Trial, ...]
    work: Callable[[Trial], bool]
    """Run a trial unless it has a record; return False if it is left without one, or if the run was interrupted."""


@contextmanager
def open_run(suite: Suite, plugins: Plugins, selection: Selection, runs: Path, slots: list[Slot]) -> Iterator[OpenRun]:
    """Plan a suite whose trials the caller runs one by one, in any order, taking turns with another run.

    See `run_suite` for arguments and errors.
    """
    if suite.tuning is not None:
        raise UserError(
            f"{suite.source}: tuning: two versions are compared at the same values; "
            "remove [tuning] and set the values in the suite"
        )
    catalog = plugins.catalog()
    trials = plan_here(suite, plugins, catalog)
    store = Store(runs / suite.name)
    fingerprint = _environment_fingerprint(choose_device(suite.machine.device))
    store.claim()
    try:
        store.lock_suite(_lock_table(suite, catalog), {trial.id: trial.place for trial in trials}, fingerprint)
        loop = TrialLoop(suite, plugins, catalog, selection, store=store, fingerprint=fingerprint, slots=slots)

        def is_done(trial: Trial) -> bool:
            return store.status(trial.id, fingerprint) is not None

        def work(trial: Trial) -> bool:
            return is_done(trial) or (trial.id in loop.run([trial]) and not loop.interrupted)

        plugins.suite_started(suite, trials)
        yield OpenRun(store.folder, tuple(trials), work)
        plugins.suite_finished(suite, [store.record(trial.id, fingerprint) for trial in trials if is_done(trial)])
    finally:
        store.release()


def _environment_fingerprint(device: str) -> str:
    return digest(environment("cuda:0" if device == "cuda" else device))


def _lock_table(suite: Suite, catalog: Catalog) -> dict[str, Any]:
    """Return the resolved suite with the commits of its Hub repositories, for `suite.lock.toml`."""
    table: dict[str, Any] = _without_none({**dataclasses.asdict(suite), "hub": pins(suite, catalog)})
    return table


def _without_none(value: Any) -> Any:
    """Drop None values, which TOML cannot represent."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
