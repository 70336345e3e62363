"""Peak memory of this process and its children from the kernel's accounting; Linux only."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")


def inherited() -> int | None:
    """Return the bytes resident in this process now; None if the system does not report them."""
    return _status("self", "VmRSS")


def reset_peak() -> bool:
    """Reset this process's peak; return whether the system allows it."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_of_tree() -> int:
    """Return this process's peak since its reset plus the peaks of its living children.

    Pages shared by several processes count several times, as in any sum of resident sets.
    """
    return (_status("self", "VmHWM") or 0) + sum(
        _status(str(child), "VmHWM") or 0 for child in children_of(os.getpid())
    )


def children_of(process: int) -> list[int]:
    """List a process's living descendants.

    The kernel lists children by thread, which is a hundred times faster than scanning all processes. On kernels without
    these lists, psutil scans them.
    """
    if not Path(f"/proc/self/task/{threading.get_native_id()}/children").exists():
        import psutil

        return [child.pid for child in psutil.Process(process).children(recursive=True)]
    found: list[int] = []
    waiting = [process]
    while waiting:
        for listed in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            # A thread or process that ended in the meantime has no children.
            with suppress(OSError):
                waiting += map(int, listed.read_bytes().split())
        found += [child for child in waiting if child not in found]
    return found


def _status(process: str, field: str) -> int | None:
    """Return a field of /proc/<process>/status in bytes; None if the file or the field does not exist."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
