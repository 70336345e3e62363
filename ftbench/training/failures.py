"""Classify how a trial ended: by the exception it raised, or by how its process exited."""

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
"""Exit code of a trial that cannot write its outcome: EX_IOERR of sysexits.h."""
CUDA_MEMORY = "CudaOutOfMemory"
HOST_MEMORY = "HostOutOfMemory"
GROUP_MEMORY = "ControlGroupOutOfMemory"

_CUDA_FULL = ("cuda error: out of memory", "cuda driver error: out of memory", "alloc_failed")
"""Messages of CUDA libraries that do not raise torch's own exception, in lower case."""
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
"""Driver messages about a GPU that failed or was lost. Illegal memory accesses are bugs of the trial, so not listed."""
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
"""Signals that a process raises by its own fault; other signals are sent by another process."""


ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_MACHINE = Path("/proc/vmstat")


@dataclass(frozen=True)
class Ending:
    """How a trial, or one attempt at it, ended."""

    status: Status
    kind: str
    """Name of the exception, the signal, the limit, or the exhausted resource."""
    message: str


@dataclass(frozen=True)
class Exit:
    """A process that wrote no outcome, as the runner sees it."""

    code: int | None
    """Its exit code, or the negative number of the signal that killed it."""
    server_gone: bool
    """Whether the fork server is gone too: the exit code is then unknown."""
    before: OutOfMemoryKills
    """The kernel's counters when the process started."""
    after: OutOfMemoryKills
    """The kernel's counters after it ended."""
    printed: str
    """The end of its output."""


def of_exception(error: BaseException) -> Ending:
    """Classify a trial by the exception it raised."""
    name = type(error).__name__
    message = (str(error).splitlines() or [name])[0]
    if isinstance(error, NotApplicable):
        return Ending("not-applicable", "NotApplicable", str(error))
    if isinstance(error, Diverged):
        return Ending("diverged", "Diverged", str(error))
    if isinstance(error, Pruned):
        return Ending("skipped", "Pruned", str(error))
    memory = _out_of_memory(error)
    if memory is not None:
        return Ending("oom", memory, message)
    failed = _machine_failed(error)
    if failed is not None:
        return Ending("infra", failed, message)
    return Ending("error", name, message)


def of_exit(found: Exit) -> Ending:
    """Classify a trial whose process wrote no outcome.

    A process killed by a signal from outside, and not because of a limit of the suite, was hit by a fault of the
    machine or its administration: the trial is attempted again. A signal that the process raised itself is the trial's
    own error.
    """
    if found.server_gone:
        return Ending("infra", "ServerGone", "the process that trials are forked from was killed")
    if found.code is not None and found.code < 0:
        return _of_signal(signal.Signals(-found.code).name, found)
    if found.code == CANNOT_WRITE:
        return Ending("infra", "DiskFailed", "the trial could not write its outcome: the disk is full, or has failed")
    if found.printed.rstrip().rpartition("\n")[2].startswith("MemoryError"):
        return Ending("oom", HOST_MEMORY, "the host ran out of memory, and the outcome could not be written")
    return Ending("error", "ProcessDied", f"exited with code {found.code} without writing an outcome")


def _of_signal(name: str, found: Exit) -> Ending:
    if name == "SIGKILL" and _rose(found.before.group, found.after.group):
        return Ending("oom", GROUP_MEMORY, "killed by the kernel: the memory limit of the control group was reached")
    if name == "SIGKILL" and _rose(found.before.machine, found.after.machine):
        return Ending("oom", HOST_MEMORY, "killed by SIGKILL while the kernel was killing processes to free memory")
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
    """Return which part of the machine failed; also recognise libraries that wrap the system's error in their own."""
    text = str(error).lower()
    if isinstance(error, OSError) and error.errno in _MACHINE_FAILED:
        return _MACHINE_FAILED[error.errno]
    if "no space left on device" in text:
        return "DiskFull"
    return "DeviceLost" if "cuda" in text and any(words in text for words in _DEVICE_LOST) else None


@dataclass(frozen=True)
class OutOfMemoryKills:
    """The kernel's counts of out-of-memory kills; None if a count is not available."""

    group: int | None
    """Kills in the control group, because of its limit."""
    machine: int | None
    """Kills on the whole machine, control groups included."""


def out_of_memory_kills(root: Path = ROOT, own: Path = _OWN, machine: Path = _MACHINE) -> OutOfMemoryKills:
    """Read both counters; only their increase is meaningful."""
    group = next((count for file in _files(root, own) if (count := _count(file)) is not None), None)
    return OutOfMemoryKills(group, _count(machine))


def _files(root: Path, own: Path) -> Iterator[Path]:
    """Yield the files that may have the counter of the control group, of version 2 or 1.

    In a container the group may be the root.
    """
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
