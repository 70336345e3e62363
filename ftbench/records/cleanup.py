"""Find and remove orphaned files of a run directory: half-written files, old attempts, unplanned trials."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RunError
from ..files import check_no_links, orphaned_files, parse_json, read_text
from .store import CHECKPOINTS, ENDED, RECORD, planned_trials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Orphan:
    """A file or folder that is no longer needed."""

    path: Path
    """The file or folder."""
    why: str
    """What it is, for people."""
    size: int
    """Bytes; of a folder, those of everything in it."""


def find_orphans(run: Path, *, attempts: bool = False, unplanned: bool = False) -> list[Orphan]:
    """List what can be removed from a run directory that no process is writing to.

    Args:
        run: the run directory.
        attempts: whether to include the earlier attempts and the checkpoints of trials that have a record; the record
            still states how the attempts ended.
        unplanned: whether to include trials that the suite no longer plans, with their records.

    Raises:
        RunError: the folder is not a run directory, or its plan is invalid.
    """
    planned = planned_trials(run)
    found = [Orphan(path, "half-written", _size(path)) for path in orphaned_files(run)]
    for trial in sorted((run / "trials").iterdir()):
        check_no_links(trial, 2)
        if unplanned and planned is not None and trial.name not in planned:
            found.append(Orphan(trial, "no longer planned", _size(trial)))
            continue
        for environment in sorted(path for path in trial.iterdir() if path.is_dir()):
            check_no_links(environment, 1)
            found += _trial_orphans(environment, attempts=attempts)
    return found


def remove(found: Orphan) -> None:
    """Delete a file or folder that `find_orphans` listed."""
    if found.path.is_dir() and not found.path.is_symlink():
        shutil.rmtree(found.path)
    else:
        found.path.unlink(missing_ok=True)


def _trial_orphans(folder: Path, *, attempts: bool) -> Iterator[Orphan]:
    yield from (Orphan(path, "half-written", _size(path)) for path in orphaned_files(folder))
    last = _last_attempt(folder / RECORD)
    if attempts and last is not None and (folder / CHECKPOINTS).is_dir():
        yield Orphan(folder / CHECKPOINTS, "checkpoints of a trial that has a record", _size(folder / CHECKPOINTS))
    check_no_links(folder / "attempts", 1)
    for attempt in sorted((folder / "attempts").glob("*")):
        check_no_links(attempt, 1)
        if last is not None and attempt.name.isdecimal() and int(attempt.name) < last:
            noted = any((attempt / name).exists() for name in (ENDED, RECORD))
            # Only a trial without a record still needs what an earlier attempt left.
            if attempts or not noted:
                yield Orphan(
                    attempt, "an earlier attempt" if noted else "an attempt whose runner was killed", _size(attempt)
                )
                continue
        yield from (Orphan(path, "half-written", _size(path)) for path in orphaned_files(attempt))


def _last_attempt(record: Path) -> int | None:
    """Return the number of the attempt that left a record; None without a readable record."""
    with suppress(OSError, ValueError, KeyError, TypeError, RunError):
        return int(parse_json(read_text(record), str(record))["attempts"])
    return None


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())
    return path.lstat().st_size
