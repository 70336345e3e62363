"""How a trial ended, told from the exception it raised or from the way its process went."""

from __future__ import annotations

import errno
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Diverged, NotApplicable, Pruned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..records.record import Status


CANNOT_WRITE = 74
"""Exit code of a trial that cannot write its outcome: sysexits.h's EX_IOERR."""
CUDA_MEMORY = "CudaOutOfMemory"
HOST_MEMORY = "HostOutOfMemory"
GROUP_MEMORY = "ControlGroupOutOfMemory"

_CUDA_FULL = ("cuda error: out of memory", "cuda driver error: out of memory", "alloc_failed")
"""What libraries of a card say without raising torch's own exception, in small letters."""
_HOST_FULL = ("can't allocate memory", "cannot allocate memory", "std::bad_alloc")
_DEVICE_LOST = (
    "uncorrectable ecc",
    "gpu is lost",
    "fallen off the bus",
    "busy or unavailable",
    "no cuda-capable device",
    "unspecified driver error",
    "nvlink",
    "hardware stack error",
)
"""What a driver says of a card that broke or went away; a kernel that reads past its memory is the trial's own doing."""
_MACHINE_FAILED = {
    errno.ENOSPC: "DiskFull",
    errno.EDQUOT: "DiskFull",
    errno.EIO: "DiskFailed",
    errno.EROFS: "DiskReadOnly",
    errno.ESTALE: "DiskGone",
    errno.ENODEV: "DeviceGone",
    errno.ENFILE: "TooManyFiles",
}
_OWN_FAULTS = frozenset({"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"})
"""Signals a process brings upon itself; the others are sent."""


ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_MACHINE = Path("/proc/vmstat")


@dataclass(frozen=True)
class Ending:
    """How a trial, or an attempt at one, ended."""

    status: Status
    kind: str
    """The exception's name, the signal, the limit, or what ran out."""
    message: str


@dataclass(frozen=True)
class Exit:
    """A process that left no outcome, as the runner sees it."""

    code: int | None
    """Its exit code, or the negative number of the signal that killed it."""
    server_gone: bool
    """Whether the process it was forked from has gone too: then nobody knows the code."""
    before: OutOfMemoryKills
    """The kernel's counters when it began …"""
    after: OutOfMemoryKills
    """… and when it had ended."""
    printed: str
    """The end of what it printed."""


def of_exception(error: BaseException) -> Ending:
    """Say how a trial ended by what it raised."""
    name = type(error).__name__
    message = (str(error).splitlines() or [name])[0]
    if isinstance(error, NotApplicable):
        return Ending("not-applicable", "NotApplicable", str(error))
    if isinstance(error, Diverged):
        return Ending("diverged", "Diverged", str(error))
    if isinstance(error, Pruned):
        return Ending("skipped", "Hopeless", str(error))
    memory = _out_of_memory(error)
    if memory is not None:
        return Ending("oom", memory, message)
    failed = _machine_failed(error)
    if failed is not None:
        return Ending("infra", failed, message)
    return Ending("error", name, message)


def of_exit(found: Exit) -> Ending:
    """Say how a trial ended whose process left no outcome.

    A process that is killed by a signal that somebody sends, without a limit of the suite, has met a fault of the machine or of
    its keeper: it is tried again. What a process does to itself is its own error.
    """
    if found.server_gone:
        return Ending("infra", "ServerGone", "the process that trials are forked from was killed")
    if found.code is not None and found.code < 0:
        return _of_signal(signal.Signals(-found.code).name, found)
    if found.code == CANNOT_WRITE:
        return Ending("infra", "DiskFailed", "the trial could not write its outcome: the disk is full, or has failed")
    if found.printed.rstrip().rpartition("\n")[2].startswith("MemoryError"):
        return Ending("oom", HOST_MEMORY, "the host had no memory left even to say so")
    return Ending("error", "ProcessDied", f"exited with code {found.code} and left no outcome")


def _of_signal(name: str, found: Exit) -> Ending:
    if name == "SIGKILL" and _rose(found.before.group, found.after.group):
        return Ending("oom", GROUP_MEMORY, "killed by the kernel: the memory limit of the control group was reached")
    if name == "SIGKILL" and _rose(found.before.machine, found.after.machine):
        return Ending("oom", HOST_MEMORY, "killed by SIGKILL while the kernel killed for want of memory")
    if name not in _OWN_FAULTS:
        return Ending("infra", name, f"killed from outside by {name}")
    if "std::bad_alloc" in found.printed:
        return Ending("oom", HOST_MEMORY, f"killed by {name}: std::bad_alloc, the host has no memory left")
    return Ending("error", name, f"killed by {name}")


def _rose(before: int | None, after: int | None) -> bool:
    return before is not None and after is not None and after > before


def _out_of_memory(error: BaseException) -> str | None:
    text = str(error).lower()
    torch = sys.modules.get("torch")
    if (torch is not None and isinstance(error, torch.OutOfMemoryError)) or any(words in text for words in _CUDA_FULL):
        return CUDA_MEMORY
    wanting = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    return HOST_MEMORY if wanting or any(words in text for words in _HOST_FULL) else None


def _machine_failed(error: BaseException) -> str | None:
    """Tell which part of the machine failed a trial; also where a library put the system's error into words of its own."""
    text = str(error).lower()
    if isinstance(error, OSError) and error.errno in _MACHINE_FAILED:
        return _MACHINE_FAILED[error.errno]
    if "no space left on device" in text:
        return "DiskFull"
    return "DeviceLost" if "cuda" in text and any(words in text for words in _DEVICE_LOST) else None


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
