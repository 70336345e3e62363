"""Read the peak memory of the trial's control group: the figure that counts against a container's limit."""

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

    Since Linux 6.12, writing to the peak file resets the peak for the writer. On older kernels the peak covers the
    whole life of the group, so it only describes the trial if it rose during the trial.
    """

    def __init__(self, root: Path = ROOT, own: Path = _OWN) -> None:
        self._path = _peak_file(root, own)
        self._own_peak: FileIO | None = None
        self._before = self._read()
        self._own_peak = _open_reset_peak(self._path) if self._path else None

    @cached_property
    def reading(self) -> Measurement:
        """The peak in bytes, or why it is unknown; the value of the first access is kept."""
        peak = self._read()
        if self._own_peak is not None:
            self._own_peak.close()
        if peak is None or self._before is None:
            return Measurement(
                NAME, None, "B", "lower", reason="this system has no readable memory.peak file for the control group"
            )
        if self._own_peak is None and peak <= self._before:
            reason = "the control group peaked before this trial, and this kernel cannot reset the peak"
            return Measurement(NAME, None, "B", "lower", reason=reason)
        method = "memory.peak of the control group: all its memory, including file cache and the runner"
        return Measurement(NAME, float(peak), "B", "lower", method=method, scope="control group, whole trial")

    def _read(self) -> int | None:
        try:
            if self._own_peak is not None:
                self._own_peak.seek(0)
                return int(self._own_peak.read())
            return None if self._path is None else int(self._path.read_bytes())
        except (OSError, ValueError):
            return None


def _open_reset_peak(path: Path) -> FileIO | None:
    """Open the peak file and reset the peak for this reader only; return None if the kernel has one peak for all."""
    if path.name != "memory.peak":
        return None  # cgroup v1 has one peak for all readers: a reset would affect the others
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
    """Find the peak file of this process's control group, for cgroup v2 or v1 (which names it differently)."""
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
