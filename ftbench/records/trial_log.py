"""What a trial prints: drained by the runner into a file that keeps its beginning and its end, however much it is."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import connection
from typing import TYPE_CHECKING, BinaryIO

if sys.platform == "linux":
    import fcntl

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

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
