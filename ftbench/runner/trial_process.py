"""Start each trial in a new process with its own session and process group.

On Linux the process is forked from a fork server that has already imported what trials need; if the server was killed,
the next trial starts a new one. Only the name of a folder, environment variables, CPU cores and one end of a pipe are
sent to the process. It reads a spec file and writes an outcome file; its output comes back through the pipe. The runner
itself never imports torch.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, forkserver, resource_tracker
from types import ModuleType
from typing import TYPE_CHECKING

import psutil

from ..records.trial_log import PRINTED, Output, end_of
from ..training.failures import Exit, out_of_memory_kills
from .child import enter
from .process_tree import children, descendants, kill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from multiprocessing.process import BaseProcess
    from pathlib import Path

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

_LIVE_PIDS: set[int] = set()
"""Process ids of the running trials that this process started, in any run."""


class TrialLauncher:
    """Starts the trial processes of one run."""

    def __init__(self, *, all_plugins: bool = True) -> None:
        """Choose the start method.

        Args:
            all_plugins: import all installed plugins in the fork server; set to False if the run excludes any.
        """
        self._has_server = "forkserver" in multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("forkserver" if self._has_server else "spawn")
        if self._has_server:
            self._context.set_forkserver_preload(
                ["ftbench.runner.preload", *(["ftbench.runner.preload_plugins"] if all_plugins else [])]
            )

    def start(self, folder: Path, variables: Mapping[str, str], cores: Sequence[int] = ()) -> TrialProcess:
        """Start the trial described in `folder/spec.json`.

        Args:
            folder: the folder of the attempt.
            variables: environment variables to add.
            cores: the CPU cores to bind the process to; all if empty.

        Raises:
            OSError: the process cannot be created, or the fork server was killed meanwhile.
            KeyboardInterrupt: the caller's signal handler raised it while the fork server started; no process is left.
        """
        read_end, write_end = self._context.Pipe(duplex=False)
        arguments = (str(folder), dict(variables), tuple(cores), write_end)
        process = self._context.Process(  # type: ignore[attr-defined]  # typeshed declares it on the subclasses only
            target=enter, args=arguments, daemon=False
        )
        try:
            with _passive_openmp(), _without_main():
                if self._has_server:
                    _start_server()
                process.start()
            started = time.monotonic()
        except EOFError:
            raise OSError(errno.ECHILD, "the process that trials are forked from was killed") from None
        except KeyboardInterrupt:
            # A process that the server has not forked yet will end at once: the other end of its pipe is closed.
            if process.pid is not None:
                process.kill()
            raise
        finally:
            write_end.close()
        return TrialProcess(process, folder, Output(read_end, folder / PRINTED), started)


@dataclass
class TrialProcess:
    """The process of a trial, as the runner sees it."""

    process: BaseProcess
    folder: Path
    """The folder of the attempt."""
    output: Output
    started: float
    """When it started, by `time.monotonic()`."""

    def __post_init__(self) -> None:
        self._oom_kills_before = out_of_memory_kills()
        self._handle = _find_process(self.pid)
        self._server = _fork_server_of(self._handle)
        self._terminated_at: float | None = None
        _LIVE_PIDS.add(self.pid)

    @property
    def pid(self) -> int:
        """Its process id, which is also its process group id."""
        assert self.process.pid is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self.process.is_alive()

    def stop(self) -> None:
        """Send SIGTERM to the process group; on a later call, kill it if `GRACE` seconds have passed. Does not wait."""
        now = time.monotonic()
        if self._terminated_at is None:
            self._terminated_at = now
            self.signal_group(signal.SIGTERM)
        elif now - self._terminated_at > GRACE:
            self._kill()

    def reap(self) -> None:
        """Kill what is left of the trial, inside its group or outside, wait for its process, and drain its output."""
        self._kill()
        self.process.join(GRACE)
        _LIVE_PIDS.discard(self.pid)
        kill(self._orphans())
        self.output.close()

    def exit(self) -> Exit:
        """Return how the process ended, for a trial without an outcome."""
        # If the fork server ends first, the exit code of its child is lost; multiprocessing reports 255 instead.
        gone = self._server is not None and self.process.exitcode == 255 and not _is_running(self._server)
        printed = end_of(self.folder / PRINTED)
        return Exit(self.process.exitcode, gone, self._oom_kills_before, out_of_memory_kills(), printed)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group; do nothing if it is gone."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        # Until the child has created its own group, only its process id reaches it.
        if self.alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def _kill(self) -> None:
        # Listed first: some of them may have left the group, and lose their parent when it is killed.
        below = descendants(self._handle) if self._handle is not None else []
        self.signal_group(signal.SIGKILL)
        kill(below)

    def _orphans(self) -> list[psutil.Process]:
        """List the processes that the fork server adopted from trials that died."""
        found = children(self._server) if self._server is not None else []
        if not found:
            return []
        known = _LIVE_PIDS | {one.pid for one in multiprocessing.active_children()}
        return [one for one in found if one.pid not in known]


def _find_process(pid: int) -> psutil.Process | None:
    with suppress(psutil.Error):
        return psutil.Process(pid)
    return None


def _fork_server_of(trial: psutil.Process | None) -> psutil.Process | None:
    """Return the server that a trial was forked from; None if this process started the trial, or the trial is gone."""
    try:
        parent = trial.parent() if trial is not None else None
        return parent if parent is not None and parent.pid != os.getpid() and parent.ppid() == os.getpid() else None
    except psutil.Error:
        return None


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_for_any(children: list[TrialProcess], seconds: float) -> None:
    """Wait until one of `children` ends, for at most `seconds`."""
    connection.wait([child.process.sentinel for child in children], timeout=seconds)


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the main module: children would import it again, and a user's script may lack the `__main__` guard."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _passive_openmp() -> Iterator[None]:
    """Set `OMP_WAIT_POLICY`, unless the user has: children must inherit it before OpenMP starts in them."""
    if "OMP_WAIT_POLICY" in os.environ:
        yield
        return
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    try:
        yield
    finally:
        del os.environ["OMP_WAIT_POLICY"]


def _start_server() -> None:
    """Start the fork server if it is not running, with SIGINT blocked until `preload` ignores it."""
    # Otherwise the server would start it, which unblocks the signal.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
