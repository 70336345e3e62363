"""The run directory: records are written atomically, and a trial is done once its `record.json` exists.

runs/<suite>/
  suite.lock.toml                                the resolved suite
  plan.json                                      ids and configuration keys of its trials, and ids of its tuning trials,
                                                 as of the last run
  data.json                                      what the data check found before the first trial
  trials/<id>/<environment>/record.json          marks the trial as done
                           /predictions.jsonl.gz
                           /attempts/<n>/        spec.json, events.jsonl, output.log; for earlier attempts also
                                                 ended.json, or the record that `ftbench retry` moved here
                           /checkpoints/         of a killed trial, to resume from

Each file has one writer.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from ..errors import RunError, RunStopped
from ..files import check_no_links, parse_json, read_text, remove_orphaned_files, sync, write_whole
from .predictions import FOLDERS, PREDICTIONS
from .redaction import redacted, without_home
from .run_lock import RunLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..suite.trial import Trial
    from .known_parts import KnownParts
    from .record import Attempt, Record
    from .run_files import RunPlan


RECORD, ENDED = "record.json", "ended.json"
GONE = ("RunnerGone", "the runner ended before it")


CHECKPOINTS = "checkpoints"
_FINAL = ("ok", "not-applicable", "diverged")
"""Statuses of trials that cannot be resumed from a checkpoint."""


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector: records have no reference cycles, and scanning thousands of them is slow."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Store:
    """A run directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: RunLock | None = None

    # -- locking ---------------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Lock the folder until this process ends or releases it, and remove orphaned files; see `RunLock`.

        Raises:
            RunError: another process is writing to the folder, or it cannot be written.
        """
        self._lock = RunLock(self.folder)
        remove_orphaned_files(self.folder)

    def release(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # -- reading ---------------------------------------------------------------------------------------------------

    def trial_folder(self, trial: str, environment: str) -> Path:
        """Return the folder of a trial in an environment."""
        return self.folder / "trials" / trial / environment

    def status(self, trial: str, environment: str) -> str | None:
        """Return the status of a finished trial; None if it has no record.

        Raises:
            RunError: the file is not a record.
        """
        path = self.trial_folder(trial, environment) / RECORD
        try:
            found = parse_json(read_text(path, folders=FOLDERS), str(path))
        except FileNotFoundError:
            return None
        except RunError as error:
            raise RunError(f"{error}; move it elsewhere to run the trial again") from None
        from .record import Status

        status = found.get("status") if isinstance(found, dict) else None
        if status not in get_args(Status):
            raise RunError(f"{path}: not a record; move it elsewhere to run the trial again")
        return str(status)

    def record(self, trial: str, environment: str) -> Record:
        """Read the record of a trial."""
        return read_record(self.trial_folder(trial, environment) / RECORD)

    def reader(self, environment: str) -> Callable[[Trial], Record | None]:
        """Return a function that reads the record of a trial, or returns None if it has none; records are cached."""
        known: dict[str, Record] = {}

        def read(trial: Trial) -> Record | None:
            if trial.id not in known:
                if self.status(trial.id, environment) is None:
                    return None
                known[trial.id] = self.record(trial.id, environment)
            return known[trial.id]

        return read

    def attempts(self, trial: str, environment: str) -> int:
        """Return the number of the last attempt so far; 0 if there was none."""
        return max(self._numbers(trial, environment), default=0)

    def _numbers(self, trial: str, environment: str) -> list[int]:
        """Return the numbers of the attempts so far, sorted."""
        folder = self.trial_folder(trial, environment) / "attempts"
        check_no_links(folder, FOLDERS + 1)
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal()) if folder.is_dir() else []

    def earlier(self, trial: str, environment: str) -> tuple[Attempt, ...]:
        """Return how the attempts before the last one ended."""
        folder = self.trial_folder(trial, environment) / "attempts"
        numbers = self._numbers(trial, environment)[:-1]
        return tuple(_attempt(folder / str(number), number) for number in numbers if (folder / str(number)).is_dir())

    def checkpoints(self, trial: str, environment: str) -> Path:
        """Return the folder of a trial's checkpoints."""
        folder = self.trial_folder(trial, environment).absolute() / CHECKPOINTS
        check_no_links(folder, FOLDERS + 1)
        return folder

    # -- writing ---------------------------------------------------------------------------------------------------

    def new_attempt(self, trial: str, environment: str) -> Path:
        """Create the folder of the next attempt, and remove orphaned files of a killed runner."""
        folder = self.trial_folder(trial, environment)
        number = self.attempts(trial, environment)
        for place in (folder, folder / "attempts" / str(number)):
            remove_orphaned_files(place)
        attempt = folder / "attempts" / str(number + 1)
        with self._writing():
            attempt.mkdir(parents=True)
        return attempt

    def write(self, path: Path, text: str) -> None:
        """Write a file that only this run needs; not atomic."""
        with self._writing():
            path.write_text(text, encoding="utf-8")

    def note_attempt(self, trial: str, environment: str, ended: Attempt) -> None:
        """Record how an attempt ended that will be followed by another one."""
        folder = self.trial_folder(trial, environment) / "attempts" / str(ended.number)
        with self._writing():
            write_whole(folder / ENDED, json.dumps(asdict(ended), ensure_ascii=False))

    def commit(self, record: Record, predictions: Path | None = None) -> None:
        """Write a record and so mark its trial as done; first move the file `predictions` next to it."""
        folder = self.trial_folder(record.id, record.environment)
        check_no_links(folder, FOLDERS)
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            if predictions is not None and predictions.exists():
                with suppress(OSError):  # some file systems cannot flush
                    sync(predictions)
                predictions.replace(folder / PREDICTIONS)
            else:
                (folder / PREDICTIONS).unlink(missing_ok=True)
            write_whole(folder / RECORD, redacted(record).to_json())
        if record.status in _FINAL:
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)

    def reopen(self, trial: str, environment: str) -> None:
        """Move a record into the folder of its attempt, so that the trial runs again."""
        folder = self.trial_folder(trial, environment)
        place = folder / "attempts" / str(max(1, self.attempts(trial, environment)))
        with self._writing():
            place.mkdir(parents=True, exist_ok=True)
            # The record comes last: until it is moved, the trial counts as done.
            for name in (PREDICTIONS, RECORD):
                with suppress(FileNotFoundError):
                    (folder / name).replace(place / name)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn disk errors into a one-line error.

        Raises:
            RunStopped: the disk is full, or has failed.
        """
        try:
            yield
        except OSError as error:
            raise RunStopped(
                f"{self.folder}: can no longer be written: {error.strerror}; "
                "finished trials are kept, run again to resume"
            ) from error

    def lock_suite(
        self,
        table: dict[str, Any],
        trials: Mapping[str, Sequence[str | int]],
        environment: str,
        tuning: Mapping[str, Any] | None = None,
    ) -> None:
        """Write `suite.lock.toml`, and `plan.json`, which lists the records that belong to the current suite.

        Args:
            table: the resolved suite.
            trials: id → task column, backbone, strategy and seed, which name trials without a record.
            environment: hash of the software and hardware they run on.
            tuning: `trials`, ids of the tuning trials, which are never compared, and `searches`, the search spaces.
        """
        with self._writing():
            for name, text in _lock_files(table, trials, environment, tuning).items():
                write_whole(self.folder / name, text)

    def is_locked(
        self,
        table: dict[str, Any],
        trials: Mapping[str, Sequence[str | int]],
        environment: str,
        tuning: Mapping[str, Any] | None = None,
    ) -> bool:
        """Return whether `lock_suite` would change nothing."""
        try:
            return all(
                (self.folder / name).read_text(encoding="utf-8") == text
                for name, text in _lock_files(table, trials, environment, tuning).items()
            )
        except (OSError, UnicodeDecodeError):
            return False


def _lock_files(
    table: dict[str, Any], trials: Mapping[str, Sequence[str | int]], environment: str, tuning: Mapping[str, Any] | None
) -> dict[str, str]:
    import tomli_w

    from .run_files import LOCK, LOCK_SCHEMA, PLAN, PLAN_SCHEMA

    plan: dict[str, Any] = {
        "schema": PLAN_SCHEMA,
        "environment": environment,
        "trials": list(trials),
        "places": [list(place) for place in trials.values()],
    }
    plan |= {"tuning": tuning} if tuning else {}
    return {
        LOCK: tomli_w.dumps({"schema": LOCK_SCHEMA, **without_home(table)}),
        PLAN: json.dumps(plan, indent=1, ensure_ascii=False),
    }


def _attempt(folder: Path, number: int) -> Attempt:
    """Return how an attempt ended, from the runner's note or its record; without either, the runner was killed."""
    from .record import Attempt

    with suppress(OSError, KeyError, TypeError, RunError):
        noted = parse_json(read_text(folder / ENDED, folders=FOLDERS + 2), str(folder / ENDED))
        return Attempt(number, noted["status"], noted["kind"], noted["message"], noted["seconds"])
    with suppress(RunError):
        record = read_record(folder / RECORD, folders=FOLDERS + 2)
        wall = record.measurement("wall_time")
        failure = record.failure
        known = (failure.kind, failure.message) if failure else ("", "")
        return Attempt(number, record.status, *known, wall.value if wall else None)
    return Attempt(number, "infra", *GONE)


def read_record(path: Path, known: KnownParts | None = None, *, folders: int = FOLDERS) -> Record:
    """Read a record from a file.

    Args:
        path: the file.
        known: parts of records that were read before, which are kept and checked only once.
        folders: number of folders above it, up to the run directory.

    Raises:
        RunError: the file does not exist, or is not a record.
    """
    from .record import Record

    try:
        return Record.from_json(read_text(path, folders=folders), str(path), known)
    except FileNotFoundError:
        raise RunError(f"{path}: no such record") from None


@collector_paused()
def read_records(paths: Iterable[Path]) -> list[Record]:
    """Read records from files.

    Raises:
        RunError: see `read_record`.
    """
    from .known_parts import KnownParts

    known = KnownParts()
    return [read_record(path, known) for path in paths]


def record_files(run: Path, *, tuning: bool = False) -> list[Path]:
    """List the record files of a run directory: those in the last plan, or without a plan all, sorted.

    Args:
        run: the folder.
        tuning: whether to list the tuning trials instead of the compared ones.

    Raises:
        RunError: the folder is not a run directory, or its plan is invalid.
    """
    plan = _read_plan(run)
    if plan is None:
        return [path for path in sorted(run.glob("trials/*/*/record.json")) if _is_tuning_trial(path) == tuning]
    # Joined as text: paths of thousands of records take long to join part by part.
    names = (
        f"{run}/trials/{trial}/{plan.environment}/{RECORD}" for trial in (plan.tuning.trials if tuning else plan.trials)
    )
    # A broken link is there too, and refused when it is read.
    return [type(run)(name) for name in names if os.path.lexists(name)]


def planned_trials(run: Path) -> list[str] | None:
    """List the trial ids in the last plan of a run directory, tuning trials included; return None without a plan.

    Raises:
        RunError: the folder is not a run directory, or its plan is invalid.
    """
    plan = _read_plan(run)
    return None if plan is None else [*plan.trials, *plan.tuning.trials]


def _read_plan(run: Path) -> RunPlan | None:
    check_no_links(run / "trials", 1)
    if not (run / "trials").is_dir():
        raise RunError(f"{run}: not a run directory: it has no folder `trials`")
    from .run_files import read_plan

    return read_plan(run)


def _is_tuning_trial(path: Path) -> bool:
    """Return whether a record is of a tuning trial; False if it is unreadable, so that the reader reports the error."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RunError):
        return str(parse_json(read_text(path, folders=FOLDERS), str(path))["trial"].get("role", "final")) != "final"
    return False


def find_records(run: Path, trial: str) -> list[Path]:
    """Find the records of the one trial whose id begins with `trial`, one per environment it ran in.

    Raises:
        RunError: no trial matches, or several do.
    """
    every = [*record_files(run), *record_files(run, tuning=True)]
    found = [path for path in every if path.parts[-3].startswith(trial)]
    if not found:
        raise RunError(f"{run}: no record has an id that begins with {trial!r}; `ftbench plan` lists the ids")
    ids = {path.parts[-3] for path in found}
    if len(ids) > 1:
        raise RunError(f"{run}: {len(ids)} ids begin with {trial!r}; give more digits")
    return found
