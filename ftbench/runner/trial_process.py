"""One trial in one fresh process of its own session and process group.

On Linux the process is forked from a server that has already imported what trials need; a server that was killed is started
anew for the next trial. Nothing is pickled but the name of a folder and the end of a pipe: a spec file goes in, an outcome
file and what is printed come out. The runner itself never imports torch.
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
from multiprocessing import connection
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


_LIVING: set[int] = set()
"""The trials of this process, whatever run they belong to."""


class Isolation:
    """Starts trials; made once per run."""

    def __init__(self, *, whole: bool = True) -> None:
        """Make it.

        Args:
            whole: whether all installed plugins may be imported: none is left out.
        """
        methods = multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if "forkserver" in methods:
            self._context.set_forkserver_preload(
                ["ftbench.runner.preload", *(["ftbench.runner.preload_plugins"] if whole else [])]
            )

    def start(self, folder: Path, variables: Mapping[str, str], cores: Sequence[int] = ()) -> Child:
        """Start the trial described in `folder/spec.json`, with extra environment variables; on `cores` alone, where there are some.

        Raises:
            OSError: there are no processes left, or the server was killed this very moment.
        """
        printed, prints = self._context.Pipe(duplex=False)
        arguments = (str(folder), dict(variables), tuple(cores), prints)
        process = self._context.Process(target=enter, args=arguments, daemon=False)  # type: ignore[attr-defined]  # every start method has one
        try:
            with _quiet_environment(), _without_main():
                process.start()
            started = time.monotonic()
        except EOFError:
            raise OSError(errno.ECHILD, "the process that trials are forked from was killed") from None
        finally:
            prints.close()
        return Child(process, folder, Output(printed, folder / PRINTED), started)


@dataclass
class Child:
    """A trial's process, seen from the runner."""

    process: BaseProcess
    folder: Path
    output: Output
    started: float
    """When it did, by `time.monotonic()`."""

    def __post_init__(self) -> None:
        self._before = out_of_memory_kills()
        self._own = _process(self.pid)
        self._server = _server(self._own)
        self._asked: float | None = None
        _LIVING.add(self.pid)

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        assert self.process.pid is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.is_alive()

    def stop(self) -> None:
        """Ask it and its group to end, SIGTERM; asked again `GRACE` seconds later, kill them. Does not wait."""
        now = time.monotonic()
        if self._asked is None:
            self._asked = now
            self.signal_group(signal.SIGTERM)
        elif now - self._asked > GRACE:
            self._kill()

    def sweep(self) -> None:
        """Kill what is left of it, in its group or out of it, and collect it and what it printed."""
        self._kill()
        self.process.join(GRACE)
        _LIVING.discard(self.pid)
        kill(self._strays())
        self.output.close()

    def exit(self) -> Exit:
        """Tell how the process ended, for one that left no outcome."""
        # Where the server ends first, what it would have told of its children is lost, and 255 stands for that.
        gone = self._server is not None and self.process.exitcode == 255 and not _runs(self._server)
        return Exit(self.process.exitcode, gone, self._before, out_of_memory_kills(), end_of(self.folder / PRINTED))

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; quiet where it is gone."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        # Before the child has made its own group, it can only be reached alone.
        if self.alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def _kill(self) -> None:
        beyond = descendants(self._own) if self._own is not None else []
        self.signal_group(signal.SIGKILL)
        kill(beyond)

    def _strays(self) -> list[psutil.Process]:
        """List what trials that died have left to the server: its children that are nobody's."""
        left = children(self._server) if self._server is not None else []
        if not left:
            return []
        known = _LIVING | {one.pid for one in multiprocessing.active_children()}
        return [one for one in left if one.pid not in known]


def _process(pid: int) -> psutil.Process | None:
    with suppress(psutil.Error):
        return psutil.Process(pid)
    return None


def _server(trial: psutil.Process | None) -> psutil.Process | None:
    """Give the process a trial was forked from; None where this process made it by itself, or it has gone already."""
    try:
        parent = trial.parent() if trial is not None else None
        return parent if parent is not None and parent.pid != os.getpid() and parent.ppid() == os.getpid() else None
    except psutil.Error:
        return None


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_for_any(children: list[Child], seconds: float) -> None:
    """Wait until one of `children` ends, `seconds` at most."""
    connection.wait([child.process.sentinel for child in children], timeout=seconds)


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the main module: children would run it again, and a user's script may lack the guard for that."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _quiet_environment() -> Iterator[None]:
    """Set what must be in the environment before OpenMP starts in a child."""
    missing = [name for name in ("OMP_WAIT_POLICY",) if name not in os.environ]
    for name in missing:
        os.environ[name] = "PASSIVE"
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
