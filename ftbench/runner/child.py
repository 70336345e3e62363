"""The entry point of a trial's process: enter, carry the trial out, leave its outcome."""

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

from ..training.failures import CANNOT_WRITE, of_exception
from .process_tree import adopt_orphans, descendants, kill

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection


def enter(folder: str, variables: dict[str, str], cores: tuple[int, ...], prints: Connection) -> None:
    """Run in the child: cut every tie to the terminal, keep one to the runner's life, carry the trial out."""
    began = time.monotonic()
    os.setsid()
    adopt_orphans()
    os.environ.update(variables)
    if cores:
        os.sched_setaffinity(0, cores)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(prints.fileno(), 1)
    os.dup2(prints.fileno(), 2)
    prints.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from . import preload  # noqa: F401 - done already where a fork server did it

    try:
        perform(Path(folder), began)
    except OSError as error:
        # A disk that is full holds no outcome, and perhaps not what is printed either.
        traceback.print_exc()
        _flush()
        os._exit(CANNOT_WRITE if of_exception(error).status == "infra" else 1)
    _flush()
    kill(descendants(psutil.Process()))
    # No interpreter shutdown: threads a plugin left behind must not keep a finished trial alive.
    os._exit(0)


def perform(folder: Path, began: float | None = None) -> None:
    """Carry out the trial described in `folder/spec.json`, under way since `began`, and leave `folder/outcome.json`."""
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
    temporary = folder / f"{OUTCOME}.tmp"
    temporary.write_text(json.dumps(outcome, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    temporary.replace(folder / OUTCOME)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def _die_with_parent() -> None:
    """Kill this process group, and who left it, once the runner is gone."""
    parent: Any = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        kill(descendants(psutil.Process()))
        os.killpg(0, signal.SIGKILL)
