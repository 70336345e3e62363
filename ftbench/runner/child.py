"""The entry point of a trial's process: set the process up, run the trial, write `outcome.json`."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from ..files import write_whole
from ..training.failures import CANNOT_WRITE, of_exception
from .process_tree import adopt_orphans, descendants, kill

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection


def enter(folder: str, variables: dict[str, str], cores: tuple[int, ...], output: Connection) -> None:
    """Run a trial in this process, detached from the terminal, and exit; if the runner ends, kill the process.

    Args:
        folder: the folder of the attempt, with its `spec.json`.
        variables: environment variables to add.
        cores: the CPU cores to bind to; all if empty.
        output: the write end of the pipe that receives stdout and stderr.
    """
    began = time.monotonic()
    os.setsid()
    adopt_orphans()
    os.environ.update(variables)
    if cores:
        os.sched_setaffinity(0, cores)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from . import preload  # noqa: F401 - imported for its effects; a fork server has done so already

    try:
        perform(Path(folder), began)
    except OSError as error:
        # A full disk cannot take the outcome, and perhaps not the output either: report it by the exit code.
        traceback.print_exc()
        _flush()
        os._exit(CANNOT_WRITE if of_exception(error).status == "infra" else 1)
    _flush()
    kill(descendants(psutil.Process()))
    # Skip the interpreter's shutdown: threads started by a plugin must not keep a finished trial alive.
    os._exit(0)


def perform(folder: Path, began: float | None = None) -> None:
    """Run the trial described in `folder/spec.json` and write `folder/outcome.json`.

    Args:
        folder: the folder of the attempt.
        began: when its process began, by `time.monotonic()`; now by default.
    """
    from ..plugins import Plugins, Selection
    from ..training.messages import OUTCOME, spec_adapter
    from ..training.trial import carry_out

    spec = spec_adapter().validate_json((folder / "spec.json").read_text(encoding="utf-8"))
    with (folder / "events.jsonl").open("a", encoding="utf-8", buffering=1) as events:

        def emit(event: Mapping[str, Any]) -> None:
            with suppress(ValueError):
                events.write(json.dumps(event, allow_nan=False) + "\n")

        emit({"event": "started"})
        catalog = Plugins.discover(Selection(spec.files, spec.without)).catalog()
        outcome = carry_out(spec, catalog, folder, emit, began)
    write_whole(folder / OUTCOME, json.dumps(outcome, ensure_ascii=False, allow_nan=False), durable=False)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def _die_with_parent() -> None:
    """Wait for the runner to end; then kill the descendants of this process, and its process group."""
    parent: Any = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        kill(descendants(psutil.Process()))
        os.killpg(0, signal.SIGKILL)
