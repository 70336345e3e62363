"""One runner a run directory: a lock of the system, and the holder's name for file systems on which that is not enough."""

from __future__ import annotations

import errno
import json
import os
import platform
import threading
import time
from typing import TYPE_CHECKING, Any

from ..errors import RunError

if TYPE_CHECKING:
    from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system: only names tell two runners apart there
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"
BEAT = 5.0
"""Seconds between two signs of life of a holder."""
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""What a file system says that has no locks."""


def is_claimed(folder: Path) -> bool:
    """Tell, without claiming it, whether a run directory has a holder that may be alive: one on another machine may."""
    try:
        holder = _read(os.open(folder / NAME, os.O_RDONLY))
    except OSError:
        return False
    return holder is not None and (holder["host"] != platform.node() or _began(holder["pid"]) == holder["since"])


def _read(file: int, *, close: bool = True) -> dict[str, Any] | None:
    """Read who the file names; None where it names nobody."""
    try:
        found = json.loads(os.pread(file, 1000, 0))
        return {"host": str(found["host"]), "pid": int(found["pid"]), "since": str(found["since"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    finally:
        if close:
            os.close(file)


class Claim:
    """A run directory that is this process's until it is released, or until this process ends.

    Where the system's lock is held, somebody writes. Where it is free, the file may still name a holder: one on this machine
    has ended, since its lock would be held; one on another machine may be out of reach of the lock, and lives as long as the
    file is touched. No two clocks are compared: the file is watched for longer than a holder lets pass between two touches.
    """

    def __init__(self, folder: Path) -> None:
        """Claim a folder.

        Raises:
            RunError: another process is writing to it, or it cannot be written.
        """
        self._folder = folder
        self._released = threading.Event()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunError(f"{folder}: cannot be written: {error.strerror}") from None
        try:
            self._take()
        except BaseException:
            os.close(self._file)
            raise
        self._beating = threading.Thread(target=self._beat, daemon=True, name="claim")
        self._beating.start()

    def release(self) -> None:
        """Give the folder up."""
        self._released.set()
        self._beating.join()
        os.ftruncate(self._file, 0)
        os.close(self._file)

    def _take(self) -> None:
        locked = self._lock()
        holder = self._holder()
        if holder is not None and (not locked or holder.get("host") != platform.node()) and self._lives(holder):
            raise self._taken(holder)
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(_name()).encode(), 0)
        except OSError as error:
            raise RunError(f"{self._folder}: cannot be written: {error.strerror}") from None

    def _lock(self) -> bool:
        """Take the system's lock; False where the file system has none.

        Raises:
            RunError: another process holds it.
        """
        if fcntl is None:
            return False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return False
            raise self._taken(self._holder()) from None
        return True

    def _taken(self, holder: dict[str, Any] | None) -> RunError:
        who = f" (process {holder['pid']} on {holder['host']})" if holder else ""
        return RunError(
            f"{self._folder}: another `ftbench run` is writing here{who}; wait for it, or give --runs another folder"
        )

    def _holder(self) -> dict[str, Any] | None:
        return _read(self._file, close=False)

    def _lives(self, holder: dict[str, Any]) -> bool:
        if holder["host"] == platform.node():
            return bool(holder["since"]) and _began(holder["pid"]) == holder["since"]
        before = os.fstat(self._file).st_mtime_ns
        until = time.monotonic() + 2.5 * BEAT
        while time.monotonic() < until:
            time.sleep(BEAT / 10)
            if (self._folder / NAME).stat().st_mtime_ns != before:
                return True
        return False

    def _beat(self) -> None:
        while not self._released.wait(BEAT):
            try:
                os.utime(self._file)
            except OSError:  # a disk that fails is found where something is written
                return


def _name() -> dict[str, Any]:
    return {"host": platform.node(), "pid": os.getpid(), "since": _began(os.getpid())}


def _began(pid: int) -> str:
    """Tell when a process began, so that a number given out again is not taken for the process that had it; empty where it is gone."""
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return ""
