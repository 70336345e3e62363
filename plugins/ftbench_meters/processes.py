"""Peak memory of this process and its children, by the kernel's own accounts; Linux alone has them so."""

from __future__ import annotations

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
    children = psutil.Process().children(recursive=True)
    return (_status("self", "VmHWM") or 0) + sum(_status(str(child.pid), "VmHWM") or 0 for child in children)


def _status(process: str, field: str) -> int | None:
    """Give a field of /proc/<process>/status in bytes; None where there is no such file or field."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
