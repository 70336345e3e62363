"""The run lock: allow one runner per run directory, by an OS file lock and, without one, the holder's heartbeat."""

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
except ImportError:  # not a POSIX system: only the holder's name in the lock file protects the folder there
    fcntl = None  # type: ignore[assignment]  # None replaces a module

NAME = ".lock"
HEARTBEAT = 5.0
"""Seconds between two heartbeats of a holder."""
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Neither follow a link nor wait for a pipe of that name."""
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""Errors of file systems that do not support locks."""


def is_held(folder: Path) -> bool:
    """Return whether a run directory is locked, without locking it; a holder on another machine counts as running."""
    try:
        holder = _read(os.open(folder / NAME, os.O_RDONLY | _PLAIN))
    except OSError:
        return False
    return holder is not None and (holder["host"] != platform.node() or _started(holder["pid"]) == holder["since"])


def _read(file: int, *, close: bool = True) -> dict[str, Any] | None:
    """Read the holder that the lock file names; None if it names none."""
    try:
        found = json.loads(os.pread(file, 1000, 0))
        return {"host": str(found["host"]), "pid": int(found["pid"]), "since": str(found["since"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    finally:
        if close:
            os.close(file)


class RunLock:
    """A lock on a run directory, held until it is released or this process ends.

    If the OS lock is taken, another process is writing. If it is free, the file may still name a holder. A holder
    on this machine has ended, because it would have the OS lock. A holder on another machine may not share the OS
    lock; it is running while it touches the file. To avoid comparing the clocks of two machines, the file is
    watched for longer than the interval between two heartbeats.
    """

    def __init__(self, folder: Path) -> None:
        """Lock `folder`.

        Raises:
            RunError: another process is writing to the folder, or it cannot be written.
        """
        self._folder = folder
        self._released = threading.Event()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | _PLAIN, 0o644)
        except OSError as error:
            raise RunError(f"{folder}: cannot be written: {error.strerror}") from None
        try:
            self._acquire()
        except BaseException:
            os.close(self._file)
            raise
        self._heartbeats = threading.Thread(target=self._send_heartbeats, daemon=True, name="run lock")
        self._heartbeats.start()

    def release(self) -> None:
        """Release the lock."""
        self._released.set()
        self._heartbeats.join()
        os.ftruncate(self._file, 0)
        os.close(self._file)

    def _acquire(self) -> None:
        locked = self._lock_file()
        holder = self._holder()
        if holder is not None and (not locked or holder.get("host") != platform.node()) and self._is_running(holder):
            raise self._held_error(holder)
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(_this_process()).encode(), 0)
        except OSError as error:
            raise RunError(f"{self._folder}: cannot be written: {error.strerror}") from None

    def _lock_file(self) -> bool:
        """Take the OS lock; return False if the file system does not support locks.

        Raises:
            RunError: another process has the lock.
        """
        if fcntl is None:
            return False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return False
            raise self._held_error(self._holder()) from None
        return True

    def _held_error(self, holder: dict[str, Any] | None) -> RunError:
        """Return the error to raise if another process holds the lock."""
        who = f" (process {holder['pid']} on {holder['host']})" if holder else ""
        return RunError(
            f"{self._folder}: another `ftbench run` is writing here{who}; "
            "wait for it, or choose another folder with --runs"
        )

    def _holder(self) -> dict[str, Any] | None:
        return _read(self._file, close=False)

    def _is_running(self, holder: dict[str, Any]) -> bool:
        if holder["host"] == platform.node():
            return bool(holder["since"]) and _started(holder["pid"]) == holder["since"]
        before = os.fstat(self._file).st_mtime_ns
        until = time.monotonic() + 2.5 * HEARTBEAT
        while time.monotonic() < until:
            time.sleep(HEARTBEAT / 10)
            if (self._folder / NAME).stat().st_mtime_ns != before:
                return True
        return False

    def _send_heartbeats(self) -> None:
        while not self._released.wait(HEARTBEAT):
            try:
                os.utime(self._file)
            except OSError:  # the next write reports a failing disk
                return


def _this_process() -> dict[str, Any]:
    return {"host": platform.node(), "pid": os.getpid(), "since": _started(os.getpid())}


def _started(pid: int) -> str:
    """Return when a process started, which detects reused process ids; empty if there is no such process."""
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return ""
