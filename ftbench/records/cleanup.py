"""What a run directory holds that nothing needs any more."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RunError
from ..files import orphaned_files, parse_json, read_text
from .store import CHECKPOINTS, ENDED, RECORD, planned_trials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Leftover:
    """One of them."""

    path: Path
    """A file or a folder."""
    why: str
    """What it is."""
    size: int
    """Bytes, of a folder with everything in it."""


def find_leftovers(run: Path, *, attempts: bool = False, unplanned: bool = False) -> list[Leftover]:
    """List what may go; where nobody writes there.

    Args:
        run: the run directory.
        attempts: whether the earlier attempts of trials that have a record may go too, and what they could go on from were they tried
            again: how they ended stays in the record.
        unplanned: whether trials that the suite no longer plans may go too, records and all.

    Raises:
        RunError: it is no run directory, or its plan is broken.
    """
    planned = planned_trials(run)
    found = [Leftover(path, "half-written", _size(path)) for path in orphaned_files(run)]
    for trial in sorted((run / "trials").iterdir()):
        if unplanned and planned is not None and trial.name not in planned:
            found.append(Leftover(trial, "not planned any more", _size(trial)))
            continue
        for environment in sorted(path for path in trial.iterdir() if path.is_dir()):
            found += _of_trial(environment, attempts=attempts)
    return found


def remove(found: Leftover) -> None:
    """Remove it for good."""
    if found.path.is_dir():
        shutil.rmtree(found.path)
    else:
        found.path.unlink(missing_ok=True)


def _of_trial(folder: Path, *, attempts: bool) -> Iterator[Leftover]:
    yield from (Leftover(path, "half-written", _size(path)) for path in orphaned_files(folder))
    last = _last_attempt(folder / RECORD)
    if attempts and last is not None and (folder / CHECKPOINTS).is_dir():
        yield Leftover(folder / CHECKPOINTS, "checkpoints of a trial that has a record", _size(folder / CHECKPOINTS))
    for attempt in sorted((folder / "attempts").glob("*")):
        if last is not None and attempt.name.isdecimal() and int(attempt.name) < last:
            noted = any((attempt / name).exists() for name in (ENDED, RECORD))
            # A trial without a record may go on from what it left; one that has a record will not.
            if attempts or not noted:
                yield Leftover(
                    attempt, "an earlier attempt" if noted else "an attempt whose runner was killed", _size(attempt)
                )
                continue
        yield from (Leftover(path, "half-written", _size(path)) for path in orphaned_files(attempt))


def _last_attempt(record: Path) -> int | None:
    """Give the number of the attempt that left a record; None where there is no record."""
    with suppress(OSError, ValueError, KeyError, TypeError, RunError):
        return int(parse_json(read_text(record), str(record))["attempts"])
    return None


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
