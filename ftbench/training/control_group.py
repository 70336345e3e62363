"""How often the kernel has killed for want of memory: in this process's control group, and on the whole machine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_MACHINE = Path("/proc/vmstat")


@dataclass(frozen=True)
class OutOfMemoryKills:
    """Counters of the kernel's; None where it does not tell."""

    group: int | None
    """In the control group, because of its limit."""
    machine: int | None
    """Anywhere, the groups included."""


def out_of_memory_kills(root: Path = ROOT, own: Path = _OWN, machine: Path = _MACHINE) -> OutOfMemoryKills:
    """Read both counters; only what they grow by tells anything."""
    group = next((count for file in _files(root, own) if (count := _count(file)) is not None), None)
    return OutOfMemoryKills(group, _count(machine))


def _files(root: Path, own: Path) -> Iterator[Path]:
    """Name the files that may hold the group's counter: version 2, or version 1; in a container the group may be the root."""
    with suppress(OSError):
        for line in own.read_text(encoding="ascii").splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0":
                yield from (root / path.lstrip("/") / "memory.events", root / "memory.events")
            elif "memory" in controllers.split(","):
                base = root / "memory"
                yield from (base / path.lstrip("/") / "memory.oom_control", base / "memory.oom_control")


def _count(file: Path) -> int | None:
    with suppress(OSError, ValueError):
        for line in file.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return None
