"""Find and kill the descendants of a process, including those that left its group or lost their parent."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (Linux child subreaper); do nothing elsewhere."""
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(process: psutil.Process) -> list[psutil.Process]:
    """List the running children of a process; none if it is gone or its process id was reused."""
    try:
        found = _list_children(process) if process.is_running() else []
        return [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
    except psutil.Error:
        return []


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """List the running descendants of a process; see `children`."""
    found = children(process)
    for child in found:
        found += children(child)
    return found


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill processes; skip those that are gone or whose process id was reused."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def _list_children(process: psutil.Process) -> list[psutil.Process]:
    """List the children from `/proc` if the kernel lists them there; psutil scans all processes, which is slow."""
    found: list[psutil.Process] = []
    try:
        pids = [
            pid
            for task in Path(f"/proc/{process.pid}/task").iterdir()
            for pid in (task / "children").read_text().split()
        ]
    except OSError:
        return list(process.children())
    for pid in pids:
        with suppress(psutil.Error):
            found.append(psutil.Process(int(pid)))
    return found
