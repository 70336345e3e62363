"""The processes that come from a process, also those that left its group and lost their parent."""

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
    """Become the parent of every descendant whose own parent ends, so that none is lost; on Linux, elsewhere nothing happens."""
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(process: psutil.Process) -> list[psutil.Process]:
    """List the children of a process that have not ended; nothing where it is gone, or its number is another's by now."""
    try:
        found = _told_by_kernel(process) if process.is_running() else []
        return [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
    except psutil.Error:
        return []


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """List what comes from a process, see `children`."""
    found = children(process)
    for child in found:
        found += children(child)
    return found


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill processes; those that are gone, or whose number is another's by now, are left alone."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def _told_by_kernel(process: psutil.Process) -> list[psutil.Process]:
    """Ask for the children alone where the kernel tells them: to look through all processes of a machine takes a while."""
    found: list[psutil.Process] = []
    try:
        numbers = [
            number
            for task in Path(f"/proc/{process.pid}/task").iterdir()
            for number in (task / "children").read_text().split()
        ]
    except OSError:
        return list(process.children())
    for number in numbers:
        with suppress(psutil.Error):
            found.append(psutil.Process(int(number)))
    return found
