"""The trial log: save the output of a trial to a file of bounded size, and read it while the trial is running."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import RunError
from ..files import check_no_links, open_file, parse_json, read_text
from ..suite.selection import matches
from .predictions import FOLDERS
from .run_lock import is_held
from .store import ENDED, RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path


if sys.platform == "linux":
    import fcntl


PRINTED = "output.log"
"""Name of the file."""
LIMIT = 8 * 2**20
"""Maximum bytes of the file, exceeded at most by one line."""
BEGINNING = 1 * 2**20
"""Bytes kept from the beginning of a log that is cut."""
END = 2 * 2**20
"""Minimum bytes kept from the end of a log that is cut."""
_CHUNK = 2**20
_FOLDERS = FOLDERS + 2
"""Folders above the file, up to the run directory."""
_GRACE = 1.0
"""Seconds to read the rest of the pipe after the trial has ended."""

POLL = 0.2
"""Seconds between two reads of a log that is followed."""


class Output:
    """Thread that drains a pipe into the log, so that output never blocks a trial and never fills disk or memory."""

    def __init__(self, source: Connection, path: Path) -> None:
        self._source = source
        _enlarge(source.fileno())
        self._file: BinaryIO = path.open("w+b", buffering=0)
        self._size = 0
        self._cut_bytes = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._drain, daemon=True, name=f"output of {path.parent}")
        self._thread.start()

    def close(self) -> None:
        """Read the rest of the pipe and stop, without waiting for the processes at its other end."""
        self._ending.set()
        self._thread.join()
        self._source.close()
        self._file.close()

    def _drain(self) -> None:
        descriptor, until = self._source.fileno(), float("inf")
        while time.monotonic() < until:
            ending = self._ending.is_set()
            if ending and until == float("inf"):
                until = time.monotonic() + _GRACE
            if connection.wait([self._source], 0.0 if ending else 0.5):
                chunk = os.read(descriptor, _CHUNK)
                if not chunk:
                    return
                self._append(chunk)
            elif ending:
                return

    def _append(self, chunk: bytes) -> None:
        try:
            if self._size + len(chunk) > LIMIT:
                self._cut()
            self._file.write(chunk)
            self._size += len(chunk)
        except OSError:
            # On a full disk output is lost, but the trial must not be stopped by that.
            self._size = self._file.seek(0, os.SEEK_END)

    def _cut(self) -> None:
        """Replace the middle of the log by a note."""
        self._file.seek(self._size - END)
        end = self._file.read(END)
        self._cut_bytes += self._size - BEGINNING - END
        self._file.seek(BEGINNING)
        self._file.truncate()
        note = f"\n[... {self._cut_bytes} bytes are left out here ...]\n".encode()
        self._file.write(note + end)
        self._size = BEGINNING + len(note) + len(end)
        # The next cut removes this note too, which is not output.
        self._cut_bytes -= len(note)


def _enlarge(pipe: int) -> None:
    """Enlarge a pipe to one chunk if the system allows, so that a trial with much output blocks less often."""
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CHUNK)


def end_of(path: Path, size: int = 4000) -> str:
    """Return the last `size` bytes of a log as text; empty if there is no log."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - size))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def find_trial(run: Path, wanted: str) -> Path:
    """Return the folder `trials/<id>/<environment>` of the latest attempt at a trial.

    Args:
        run: the run directory.
        wanted: the beginning of the trial's id, or a part of its name that no other trial's name has.

    Raises:
        RunError: no trial was started in `run`, or no trial or several match.
    """
    attempts = sorted(run.glob("trials/*/*/attempts/*"), key=lambda path: path.lstat().st_mtime)
    if not attempts:
        raise RunError(f"{run}: no trial has been started here")
    found: dict[str, Path] = {}
    names: dict[str, str] = {}
    for attempt in attempts:
        check_no_links(attempt, _FOLDERS)
        identity = attempt.parts[-4]
        if identity not in names:
            names[identity] = _name(attempt / "spec.json")
        if matches(wanted, identity, names[identity]):
            found[identity] = attempt.parent.parent
    if not found:
        raise RunError(
            f"{run}: no started trial has an id that begins with {wanted!r} or a name that contains it; "
            "`ftbench plan` lists them"
        )
    if len(found) > 1:
        several = ", ".join(f"{identity[:8]} ({names[identity]})" for identity in list(found)[:4])
        raise RunError(f"{run}: {wanted!r} matches {len(found)} trials: {several}; give a longer text")
    return next(iter(found.values()))


def printed(trial: Path, attempt: int | None = None, *, follow: bool = False) -> Iterator[bytes]:
    """Yield the log of a trial; with `follow`, wait for more until the trial has ended, and continue with new attempts.

    Args:
        trial: the trial's folder; see `find_trial`.
        attempt: number of the attempt; by default the last.
        follow: whether to wait for more.

    Raises:
        RunError: there is no such attempt.
    """
    number = attempt or _last(trial)
    if not (trial / "attempts" / str(number)).is_dir():
        raise RunError(f"{trial}: there is no attempt {number}; the last is {_last(trial)}")
    read = 0
    while True:
        # Check this before reading: all output before the end is then read.
        ended = not follow or _has_ended(trial, number)
        chunk, read = _read_from(trial / "attempts" / str(number) / PRINTED, read)
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
    return done or _last(trial) > number or not is_held(run)


def _read_from(path: Path, read: int) -> tuple[bytes, int]:
    """Return the bytes after position `read`, and the new position.

    If the file has become shorter, its middle was cut out: continue after the beginning that is always kept.
    """
    try:
        with open_file(path, _FOLDERS) as stream:
            if os.fstat(stream.fileno()).st_size < read:
                read = BEGINNING
            stream.seek(read)
            chunk = stream.read(2**20)
    except FileNotFoundError:
        return b"", read
    return chunk, read + len(chunk)


def _last(trial: Path) -> int:
    return max((int(path.name) for path in (trial / "attempts").iterdir() if path.name.isdecimal()), default=0)


def _name(spec: Path) -> str:
    """Return the name of a trial from the spec of its process; empty if it cannot be read."""
    with suppress(OSError, RunError, KeyError, TypeError):
        trial: dict[str, Any] = parse_json(read_text(spec, folders=_FOLDERS), str(spec))["trial"]
        return f"{trial['target']} · {trial['backbone']['label']} · {trial['strategy']['label']} · seed {trial['seed']}"
    return ""
