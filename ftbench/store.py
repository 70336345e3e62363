"""The run directory: one writer per file, and a result exists when its `record.json` does.

runs/<suite>/
  suite.lock.toml                                the resolved suite
  plan.json                                      ids and places of its trials, as of the last run
  trials/<id>/<environment>/record.json          the commit mark
                           /predictions.jsonl.gz
                           /attempts/<n>/        spec.json, events.jsonl, output.log
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RunError
from .predictions import PREDICTIONS
from .record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

try:
    import fcntl
except ImportError:  # not a POSIX system: two runners on one folder are not told apart there
    fcntl = None  # type: ignore[assignment]


class Store:
    """One run directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None

    # -- claiming --------------------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Make the folder this process's until it ends.

        Raises:
            RunError: another process is writing to it, or it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunError(f"{self.folder}: cannot be written: {error.strerror}") from None
        if fcntl is not None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self.release()
                raise RunError(
                    f"{self.folder}: another `ftbench run` is writing here; wait for it, or give --runs another folder"
                ) from None

    def release(self) -> None:
        """Give the folder up."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- reading ---------------------------------------------------------------------------------------------------------

    def trial_folder(self, trial: str, environment: str) -> Path:
        """Give the folder of one trial in one environment."""
        return self.folder / "trials" / trial / environment

    def status(self, trial: str, environment: str) -> str | None:
        """Give the status of a finished trial; None where there is no record."""
        path = self.trial_folder(trial, environment) / "record.json"
        try:
            found = json.loads(path.read_bytes())["status"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise RunError(f"{path}: not a record; move it away to run the trial again") from None
        return str(found)

    def record(self, trial: str, environment: str) -> Record:
        """Read one record."""
        return read_record(self.trial_folder(trial, environment) / "record.json")

    def attempts(self, trial: str, environment: str) -> int:
        """Count the attempts made so far."""
        folder = self.trial_folder(trial, environment) / "attempts"
        return len(list(folder.iterdir())) if folder.is_dir() else 0

    # -- writing ---------------------------------------------------------------------------------------------------------

    def new_attempt(self, trial: str, environment: str) -> Path:
        """Make the folder of the next attempt."""
        folder = self.trial_folder(trial, environment) / "attempts" / str(self.attempts(trial, environment) + 1)
        folder.mkdir(parents=True)
        return folder

    def commit(self, record: Record, predictions: Path | None = None) -> None:
        """Write a record for good; `predictions` is moved beside it first."""
        folder = self.trial_folder(record.id, record.environment)
        folder.mkdir(parents=True, exist_ok=True)
        if predictions is not None and predictions.exists():
            predictions.replace(folder / PREDICTIONS)
        write_whole(folder / "record.json", record.to_json())

    def lock_suite(self, table: dict[str, Any], trials: Mapping[str, Sequence[str | int]], environment: str) -> None:
        """Write `suite.lock.toml`, and `plan.json`: which of the records in the folder are the suite's as it stands.

        Args:
            table: the resolved suite.
            trials: id → target, backbone, strategy and seed, so that a trial without a record has a name.
            environment: where they run.
        """
        for name, text in _locks(table, trials, environment).items():
            write_whole(self.folder / name, text)

    def is_locked(self, table: dict[str, Any], trials: Mapping[str, Sequence[str | int]], environment: str) -> bool:
        """Tell whether `lock_suite` would write what is there already."""
        try:
            return all(
                (self.folder / name).read_text(encoding="utf-8") == text for name, text in _locks(table, trials, environment).items()
            )
        except (OSError, UnicodeDecodeError):
            return False


def _locks(table: dict[str, Any], trials: Mapping[str, Sequence[str | int]], environment: str) -> dict[str, str]:
    import tomli_w

    plan = {"environment": environment, "trials": list(trials), "places": [list(place) for place in trials.values()]}
    return {"suite.lock.toml": tomli_w.dumps(table), "plan.json": json.dumps(plan, indent=1, ensure_ascii=False)}


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def read_record(path: Path) -> Record:
    """Read a record from its file.

    Raises:
        RunError: it is not there, or is no record.
    """
    try:
        return Record.from_json(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise RunError(f"{path}: no such record") from None
    except UnicodeDecodeError:
        raise RunError(f"{path}: not a record: not UTF-8") from None


def record_files(run: Path) -> list[Path]:
    """List the record files of a run directory: those of the last plan where there is one, else all, sorted.

    Raises:
        RunError: the folder is no run directory, or its plan is broken.
    """
    if not (run / "trials").is_dir():
        raise RunError(f"{run}: not a run directory: it has no folder `trials`")
    try:
        planned = json.loads((run / "plan.json").read_text(encoding="utf-8"))
        environment = _id(planned["environment"])
        paths = [run / "trials" / _id(trial) / environment / "record.json" for trial in planned["trials"]]
    except FileNotFoundError:
        return sorted(run.glob("trials/*/*/record.json"))
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{run / 'plan.json'}: not a plan: {error}; take it away to read every record") from None
    return [path for path in paths if path.exists()]


def _id(name: Any) -> str:
    """Let through what is the name of a folder and no way out of one."""
    if not isinstance(name, str) or Path(name).name != name:
        message = f"{name!r} is no id"
        raise ValueError(message)
    return name


def find_records(run: Path, trial: str) -> list[Path]:
    """Find the records of the one trial whose id begins so: one for each environment it ran in.

    Raises:
        RunError: there is none, or there are several.
    """
    found = [path for path in record_files(run) if path.parts[-3].startswith(trial)]
    if not found:
        raise RunError(f"{run}: no record's id begins with {trial!r}; `ftbench plan` lists them")
    if len({path.parts[-3] for path in found}) > 1:
        raise RunError(f"{run}: {len(found)} ids begin with {trial!r}; give more of it")
    return found
