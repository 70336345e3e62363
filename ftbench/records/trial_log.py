"""What a trial prints: drained by the runner into a file that keeps its beginning and its end, however much it is."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import RunError
from ..suite.selection import matches
from .run_lock import is_claimed
from .store import ENDED, RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path


if sys.platform == "linux":
    import fcntl


PRINTED = "output.log"
"""Its name."""
LIMIT = 8 * 2**20
"""Bytes a file never exceeds by more than a line."""
BEGINNING = 1 * 2**20
"""Bytes of the beginning that are kept where not all is."""
END = 2 * 2**20
"""Bytes of the end that are kept at least."""
_CHUNK = 2**20
_FAREWELL = 1.0
"""Seconds for what is still in the pipe when the trial has ended."""


POLL = 0.2


class Output:
    """Reads a pipe in a thread, so that who prints is never held up for long and never fills a disk or the memory."""

    def __init__(self, source: Connection, path: Path) -> None:
        self._source = source
        _widen(source.fileno())
        self._file: BinaryIO = path.open("w+b", buffering=0)
        self._size = 0
        self._left_out = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._drain, daemon=True, name=f"output of {path.parent}")
        self._thread.start()

    def close(self) -> None:
        """Take what is still in the pipe, and end; whoever holds its other end is not waited for."""
        self._ending.set()
        self._thread.join()
        self._source.close()
        self._file.close()

    def _drain(self) -> None:
        descriptor, until = self._source.fileno(), float("inf")
        while time.monotonic() < until:
            ending = self._ending.is_set()
            if ending and until == float("inf"):
                until = time.monotonic() + _FAREWELL
            if connection.wait([self._source], 0.0 if ending else 0.5):
                chunk = os.read(descriptor, _CHUNK)
                if not chunk:
                    return
                self._keep(chunk)
            elif ending:
                return

    def _keep(self, chunk: bytes) -> None:
        try:
            if self._size + len(chunk) > LIMIT:
                self._shorten()
            self._file.write(chunk)
            self._size += len(chunk)
        except OSError:
            # A disk that is full loses output; who prints must not be stopped by that.
            self._size = self._file.seek(0, os.SEEK_END)

    def _shorten(self) -> None:
        """Leave the middle out, and say so."""
        self._file.seek(self._size - END)
        end = self._file.read(END)
        self._left_out += self._size - BEGINNING - END
        self._file.seek(BEGINNING)
        self._file.truncate()
        note = f"\n[... {self._left_out} bytes are left out here ...]\n".encode()
        self._file.write(note + end)
        self._size = BEGINNING + len(note) + len(end)
        # The next time this note is among what is left out, and must not be counted.
        self._left_out -= len(note)


def _widen(pipe: int) -> None:
    """Let a pipe hold a chunk, where the system can: who prints much then waits less often."""
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CHUNK)


def end_of(path: Path, size: int = 4000) -> str:
    """Give the end of what was printed, however much it is."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - size))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


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
