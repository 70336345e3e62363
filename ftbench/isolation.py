"""One trial in one fresh process of its own session and process group.

On Linux the process is forked from a server that has already imported what trials need. Nothing is pickled but the name
of a folder: a spec file goes in, an outcome file comes out. The runner itself never imports torch.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.process import BaseProcess

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""


class Isolation:
    """Starts trials; made once per run."""

    def __init__(self) -> None:
        methods = multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if "forkserver" in methods:
            self._context.set_forkserver_preload(["ftbench.preload"])

    def start(self, folder: Path, variables: Mapping[str, str]) -> Child:
        """Start the trial described in `folder/spec.json`, with extra environment variables."""
        process = self._context.Process(target=_enter, args=(str(folder), dict(variables)), daemon=False)  # type: ignore[attr-defined]  # every start method has one
        with _quiet_environment(), _without_main():
            process.start()
        return Child(process, folder)


@dataclass
class Child:
    """A trial's process, seen from the runner."""

    process: BaseProcess
    folder: Path

    def __post_init__(self) -> None:
        self.started = time.monotonic()

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
        """End it and its group: SIGTERM, then SIGKILL after `GRACE` seconds."""
        self.signal_group(signal.SIGTERM)
        self.process.join(GRACE)
        self.sweep()

    def sweep(self) -> None:
        """Kill what is left of its group, and collect it."""
        self.signal_group(signal.SIGKILL)
        self.process.join(GRACE)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; quiet where it is gone."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        # Before the child has made its own group, it can only be reached alone.
        if self.alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def ending(self) -> str:
        """Say in words how the process ended."""
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exited with code {code} and left no outcome"


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


def _enter(folder: str, variables: dict[str, str]) -> None:
    """Run in the child: cut every tie to the terminal, keep one to the runner's life, carry the trial out."""
    began = time.monotonic()
    os.setsid()
    os.environ.update(variables)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    log = os.open(Path(folder) / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from . import preload  # noqa: F401 - done already where a fork server did it
    from .execution import perform

    perform(Path(folder), began)
    _flush()
    # No interpreter shutdown: threads a plugin left behind must not keep a finished trial alive.
    os._exit(0)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def _die_with_parent() -> None:
    """Kill this process group once the runner is gone."""
    parent: Any = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)
