"""Peak memory of this process and its children, by the kernel's own accounts; Linux alone has them so."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import psutil

_CLEAR = Path("/proc/self/clear_refs")


def inherited() -> int | None:
    """Give the bytes resident in this process now; None where the system does not tell."""
    return _status("self", "VmRSS")


def reset_peak() -> bool:
    """Let the peak of this process begin anew; tells whether the system lets it."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_of_tree() -> int:
    """Add this process's peak since its reset and the peaks of its living children.

    Pages that several of them share count several times, as they do in every sum of resident sets.
    """
    return (_status("self", "VmHWM") or 0) + sum(
        _status(str(child), "VmHWM") or 0 for child in children_of(os.getpid())
    )


def children_of(process: int) -> list[int]:
    """List a process's living children, and theirs.

    The kernel keeps them by thread, which is a hundred times quicker than to look through all processes; psutil does that where the
    kernel does not.
    """
    if not Path(f"/proc/self/task/{threading.get_native_id()}/children").exists():
        return [child.pid for child in psutil.Process(process).children(recursive=True)]
    found: list[int] = []
    waiting = [process]
    while waiting:
        for listed in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            # A thread or process may end meanwhile, and has no children then.
            with suppress(OSError):
                waiting += map(int, listed.read_bytes().split())
        found += [child for child in waiting if child not in found]
    return found


def _status(process: str, field: str) -> int | None:
    """Give a field of /proc/<process>/status in bytes; None where there is no such file or field."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
