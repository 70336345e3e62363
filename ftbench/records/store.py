"""The run directory: one writer per file, and a result exists when its `record.json` does.

runs/<suite>/
  suite.lock.toml                                the resolved suite
  plan.json                                      ids and places of its trials, and ids of its tries, as of the last run
  trials/<id>/<environment>/record.json          the commit mark
                           /predictions.jsonl.gz
                           /attempts/<n>/        spec.json, events.jsonl, output.log; ended.json where it was not the last,
                                                 or the record it had left where it was tried again on demand
                           /checkpoints/         of a trial that was killed, to go on from
"""

from __future__ import annotations

import gc
import json
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from ..errors import RunError, RunStopped
from ..files import parse_json, read_text, remove_orphaned_files, sync, write_whole
from .predictions import PREDICTIONS
from .record import Attempt, Record, Status
from .redaction import discreet, without_home
from .run_files import LOCK, LOCK_SCHEMA, PLAN, PLAN_SCHEMA, read_plan
from .run_lock import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..suite.trial import Trial
    from .run_files import RunPlan


RECORD, ENDED = "record.json", "ended.json"
GONE = ("RunnerGone", "the runner ended before it")


CHECKPOINTS = "checkpoints"
_OVER = ("ok", "not-applicable", "diverged")
"""How trials end that have nothing left to go on from."""


@contextmanager
def collector_paused() -> Iterator[None]:
    """Look for no cycles for the time being: the collector would go through all that was made, again and again, and find none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Store:
    """One run directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._claim: Claim | None = None

    # -- claiming --------------------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Make the folder this process's until it ends; see `Claim`.

        Raises:
            RunError: another process is writing to it, or it cannot be written.
        """
        self._claim = Claim(self.folder)
        remove_orphaned_files(self.folder)

    def release(self) -> None:
        """Give the folder up."""
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    # -- reading ---------------------------------------------------------------------------------------------------------

    def trial_folder(self, trial: str, environment: str) -> Path:
        """Give the folder of one trial in one environment."""
        return self.folder / "trials" / trial / environment

    def status(self, trial: str, environment: str) -> str | None:
        """Give the status of a finished trial; None where there is no record."""
        path = self.trial_folder(trial, environment) / RECORD
        try:
            found = parse_json(read_text(path), str(path))
        except FileNotFoundError:
            return None
        except RunError as error:
            raise RunError(f"{error}; move it away to run the trial again") from None
        status = found.get("status") if isinstance(found, dict) else None
        if status not in get_args(Status):
            raise RunError(f"{path}: not a record; move it away to run the trial again")
        return str(status)

    def record(self, trial: str, environment: str) -> Record:
        """Read one record."""
        return read_record(self.trial_folder(trial, environment) / RECORD)

    def reader(self, environment: str) -> Callable[[Trial], Record | None]:
        """Give what reads the record of a trial, each once; None where there is none."""
        known: dict[str, Record] = {}

        def read(trial: Trial) -> Record | None:
            if trial.id not in known:
                if self.status(trial.id, environment) is None:
                    return None
                known[trial.id] = self.record(trial.id, environment)
            return known[trial.id]

        return read

    def attempts(self, trial: str, environment: str) -> int:
        """Give the number of the last attempt made so far; 0 where there was none."""
        folder = self.trial_folder(trial, environment) / "attempts"
        return (
            max((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), default=0)
            if folder.is_dir()
            else 0
        )

    def earlier(self, trial: str, environment: str) -> tuple[Attempt, ...]:
        """Tell how the attempts before the last ended."""
        folder = self.trial_folder(trial, environment) / "attempts"
        numbers = range(1, self.attempts(trial, environment))
        return tuple(_attempt(folder / str(number), number) for number in numbers if (folder / str(number)).is_dir())

    def checkpoints(self, trial: str, environment: str) -> Path:
        """Give the folder of a trial's checkpoints."""
        return self.trial_folder(trial, environment).absolute() / CHECKPOINTS

    # -- writing ---------------------------------------------------------------------------------------------------------

    def new_attempt(self, trial: str, environment: str) -> Path:
        """Make the folder of the next attempt, and take away what a runner that was killed has left half-written."""
        folder = self.trial_folder(trial, environment)
        number = self.attempts(trial, environment)
        for place in (folder, folder / "attempts" / str(number)):
            remove_orphaned_files(place)
        attempt = folder / "attempts" / str(number + 1)
        with self._writing():
            attempt.mkdir(parents=True)
        return attempt

    def write(self, path: Path, text: str) -> None:
        """Write a file that nothing but this run needs."""
        with self._writing():
            path.write_text(text, encoding="utf-8")

    def note_attempt(self, trial: str, environment: str, ended: Attempt) -> None:
        """Write down how an attempt ended that is not the trial's last."""
        folder = self.trial_folder(trial, environment) / "attempts" / str(ended.number)
        with self._writing():
            write_whole(folder / ENDED, json.dumps(asdict(ended), ensure_ascii=False))

    def commit(self, record: Record, predictions: Path | None = None) -> None:
        """Write a record for good; `predictions` is moved beside it first."""
        folder = self.trial_folder(record.id, record.environment)
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            if predictions is not None and predictions.exists():
                with suppress(OSError):  # some file systems cannot flush
                    sync(predictions)
                predictions.replace(folder / PREDICTIONS)
            else:
                (folder / PREDICTIONS).unlink(missing_ok=True)
            write_whole(folder / RECORD, discreet(record).to_json())
        if record.status in _OVER:
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)

    def reopen(self, trial: str, environment: str) -> None:
        """Put a record where its attempt is kept, so that the trial is to do again."""
        folder = self.trial_folder(trial, environment)
        place = folder / "attempts" / str(max(1, self.attempts(trial, environment)))
        with self._writing():
            place.mkdir(parents=True, exist_ok=True)
            # The record last: until it is gone the trial is not to do.
            for name in (PREDICTIONS, RECORD):
                with suppress(FileNotFoundError):
                    (folder / name).replace(place / name)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what a disk says into a line.

        Raises:
            RunStopped: the disk is full, or has failed.
        """
        try:
            yield
        except OSError as error:
            raise RunStopped(
                f"{self.folder}: cannot be written any more: {error.strerror}; what is done is kept, run again to go on"
            ) from error

    def lock_suite(
        self,
        table: dict[str, Any],
        trials: Mapping[str, Sequence[str | int]],
        environment: str,
        tuning: Mapping[str, Any] | None = None,
    ) -> None:
        """Write `suite.lock.toml`, and `plan.json`: which of the records in the folder are the suite's as it stands.

        Args:
            table: the resolved suite.
            trials: id → target, backbone, strategy and seed, so that a trial without a record has a name.
            environment: where they run.
            tuning: `trials`, ids of those that serve the tuning alone and are never compared, and `searches`, what was searched.
        """
        with self._writing():
            for name, text in _locks(table, trials, environment, tuning).items():
                write_whole(self.folder / name, text)

    def is_locked(
        self,
        table: dict[str, Any],
        trials: Mapping[str, Sequence[str | int]],
        environment: str,
        tuning: Mapping[str, Any] | None = None,
    ) -> bool:
        """Tell whether `lock_suite` would write what is there already."""
        try:
            return all(
                (self.folder / name).read_text(encoding="utf-8") == text
                for name, text in _locks(table, trials, environment, tuning).items()
            )
        except (OSError, UnicodeDecodeError):
            return False


def _locks(
    table: dict[str, Any], trials: Mapping[str, Sequence[str | int]], environment: str, tuning: Mapping[str, Any] | None
) -> dict[str, str]:
    import tomli_w

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
    """Read how an attempt ended: as the runner noted, as its record says, or not at all where the runner was killed."""
    with suppress(OSError, KeyError, TypeError, RunError):
        noted = parse_json(read_text(folder / ENDED), str(folder / ENDED))
        return Attempt(number, noted["status"], noted["kind"], noted["message"], noted["seconds"])
    with suppress(RunError):
        record = read_record(folder / RECORD)
        wall = record.measurement("wall_time")
        failure = record.failure
        known = (failure.kind, failure.message) if failure else ("", "")
        return Attempt(number, record.status, *known, wall.value if wall else None)
    return Attempt(number, "infra", *GONE)


def read_record(path: Path) -> Record:
    """Read a record from its file.

    Raises:
        RunError: it is not there, or is no record.
    """
    try:
        return Record.from_json(read_text(path), str(path))
    except FileNotFoundError:
        raise RunError(f"{path}: no such record") from None


@collector_paused()
def read_records(paths: Iterable[Path]) -> list[Record]:
    """Read records from their files.

    Raises:
        RunError: see `read_record`.
    """
    return [read_record(path) for path in paths]


def record_files(run: Path, *, tuning: bool = False) -> list[Path]:
    """List the record files of a run directory: those of the last plan where there is one, else all, sorted.

    Args:
        run: the folder.
        tuning: gives those that serve the tuning instead of those that are compared.

    Raises:
        RunError: the folder is no run directory, or its plan is broken.
    """
    plan = _read_plan(run)
    if plan is None:
        return [path for path in sorted(run.glob("trials/*/*/record.json")) if _is_of_tuning(path) == tuning]
    paths = (
        run / "trials" / trial / plan.environment / RECORD for trial in (plan.tuning.trials if tuning else plan.trials)
    )
    return [path for path in paths if path.exists()]


def planned_trials(run: Path) -> list[str] | None:
    """List the ids of the last plan of a run directory, those that serve a tuning too; None where there is none.

    Raises:
        RunError: the folder is no run directory, or its plan is broken.
    """
    plan = _read_plan(run)
    return None if plan is None else [*plan.trials, *plan.tuning.trials]


def _read_plan(run: Path) -> RunPlan | None:
    if not (run / "trials").is_dir():
        raise RunError(f"{run}: not a run directory: it has no folder `trials`")
    return read_plan(run)


def _is_of_tuning(path: Path) -> bool:
    """Tell whether a record serves the tuning; one that cannot be read is left to whoever reads it."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RunError):
        return str(parse_json(read_text(path), str(path))["trial"].get("role", "final")) != "final"
    return False


def find_records(run: Path, trial: str) -> list[Path]:
    """Find the records of the one trial whose id begins so: one for each environment it ran in.

    Raises:
        RunError: there is none, or there are several.
    """
    every = [*record_files(run), *record_files(run, tuning=True)]
    found = [path for path in every if path.parts[-3].startswith(trial)]
    if not found:
        raise RunError(f"{run}: no record's id begins with {trial!r}; `ftbench plan` lists them")
    if len({path.parts[-3] for path in found}) > 1:
        raise RunError(f"{run}: {len(found)} ids begin with {trial!r}; give more of it")
    return found
