"""What a trial prints, read from its run directory while it runs or afterwards."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..suite.selection import matches
from .run_lock import is_claimed
from .store import ENDED, RECORD
from .trial_log import BEGINNING, PRINTED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLL = 0.2


def find_trial(run: Path, wanted: str) -> Path:
    """Give the folder `trials/<id>/<environment>` in which the trial that is meant was attempted last.

    Args:
        run: the run directory.
        wanted: the beginning of an id, or what is found in one trial's name alone.

    Raises:
        RunError: it is no run directory; or no trial is meant, or several are.
    """
    attempts = sorted(run.glob("trials/*/*/attempts/*"), key=lambda path: path.stat().st_mtime)
    if not attempts:
        raise RunError(f"{run}: no trial has been started here")
    found: dict[str, Path] = {}
    names: dict[str, str] = {}
    for attempt in attempts:
        identity = attempt.parts[-4]
        if identity not in names:
            names[identity] = _name(attempt / "spec.json")
        if matches(wanted, identity, names[identity]):
            found[identity] = attempt.parent.parent
    if not found:
        raise RunError(f"{run}: {wanted!r} begins no started trial's id and is in no name; `ftbench plan` lists them")
    if len(found) > 1:
        several = ", ".join(f"{identity[:8]} ({names[identity]})" for identity in list(found)[:4])
        raise RunError(f"{run}: {wanted!r} means {len(found)} trials: {several}; give more of it")
    return next(iter(found.values()))


def printed(trial: Path, attempt: int | None = None, *, follow: bool = False) -> Iterator[bytes]:
    """Give what a trial printed, and with `follow` what it prints until it has ended; a new attempt is gone over to.

    Args:
        trial: its folder; see `find_trial`.
        attempt: the number of the attempt; the last by default.
        follow: whether to wait for more.

    Raises:
        RunError: there is no such attempt.
    """
    number = attempt or _last(trial)
    if not (trial / "attempts" / str(number)).is_dir():
        raise RunError(f"{trial}: there is no attempt {number}; the last is {_last(trial)}")
    read = 0
    while True:
        # Asked first: what is printed before the end is then read after it.
        ended = not follow or _has_ended(trial, number)
        chunk, read = _more(trial / "attempts" / str(number) / PRINTED, read)
        if chunk:
            yield chunk
        elif ended and follow and attempt is None and _last(trial) > number:
            number, read = number + 1, 0
        elif ended:
            return
        else:
            time.sleep(POLL)


def _has_ended(trial: Path, number: int) -> bool:
    run = trial.parent.parent.parent
    folder = trial / "attempts" / str(number)
    done = any(path.exists() for path in (trial / RECORD, folder / ENDED, folder / RECORD))
    return done or _last(trial) > number or not is_claimed(run)


def _more(path: Path, read: int) -> tuple[bytes, int]:
    """Read on; where the file has become shorter, its middle was left out, and what follows that is new."""
    try:
        with path.open("rb") as stream:
            if path.stat().st_size < read:
                read = BEGINNING
            stream.seek(read)
            chunk = stream.read(2**20)
    except FileNotFoundError:
        return b"", read
    return chunk, read + len(chunk)


def _last(trial: Path) -> int:
    return max((int(path.name) for path in (trial / "attempts").iterdir() if path.name.isdecimal()), default=0)


def _name(spec: Path) -> str:
    """Read the name of a trial from what its process is told."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        trial: dict[str, Any] = json.loads(spec.read_text(encoding="utf-8"))["trial"]
        return f"{trial['target']} · {trial['backbone']['label']} · {trial['strategy']['label']} · seed {trial['seed']}"
    return ""
