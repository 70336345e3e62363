"""The peak memory of the control group the trial runs in: the figure a container's limit is held against."""

from __future__ import annotations

from functools import cached_property
from io import FileIO
from pathlib import Path

from ftbench import Measurement

NAME = "cgroup_peak_memory"
ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


class CgroupPeak:
    """Reads the group's peak over this trial.

    Since Linux 6.12 a peak begins anew for whoever writes to its file; before, it is the peak since the group was made, which
    tells of the trial only where it rose meanwhile.
    """

    def __init__(self, root: Path = ROOT, own: Path = _OWN) -> None:
        self._path = _peak_file(root, own)
        self._mine: FileIO | None = None
        self._before = self._read()
        self._mine = _begun_anew(self._path) if self._path else None

    @cached_property
    def reading(self) -> Measurement:
        """The peak in bytes, or why there is none; as it was when it was asked for first."""
        peak = self._read()
        if self._mine is not None:
            self._mine.close()
        if peak is None or self._before is None:
            return Measurement(
                NAME, None, "B", "lower", reason="this system has no readable memory.peak of a control group"
            )
        if self._mine is None and peak <= self._before:
            reason = "the control group had its peak before this trial, and this kernel keeps that"
            return Measurement(NAME, None, "B", "lower", reason=reason)
        method = "memory.peak of the control group: everything in it, file cache and the runner included"
        return Measurement(NAME, float(peak), "B", "lower", method=method, scope="control group, whole trial")

    def _read(self) -> int | None:
        try:
            if self._mine is not None:
                self._mine.seek(0)
                return int(self._mine.read())
            return None if self._path is None else int(self._path.read_bytes())
        except (OSError, ValueError):
            return None


def _begun_anew(path: Path) -> FileIO | None:
    """Open the file of a peak that begins now, for this reader alone; None where the kernel keeps one peak for all."""
    if path.name != "memory.peak":
        return None  # version 1 has one peak for all, and writing would take it from the others
    try:
        file = FileIO(path, "r+")
    except OSError:
        return None
    try:
        file.write(b"reset")
    except OSError:
        file.close()
        return None
    return file


def _peak_file(root: Path, own: Path) -> Path | None:
    """Find the peak of this process's group: version 2, or version 1 under its older name."""
    try:
        lines = own.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        number, controllers, path = line.split(":", 2)
        places = []
        if number == "0":
            places = [root / path.lstrip("/") / "memory.peak", root / "memory.peak"]
        elif "memory" in controllers.split(","):
            places = [
                base / "memory.max_usage_in_bytes" for base in (root / "memory" / path.lstrip("/"), root / "memory")
            ]
        for place in places:
            if place.is_file():
                return place
    return None
