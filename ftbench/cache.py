"""Content-addressed disk cache with atomic, verified entries and single-writer locking.

<cache>/entries/<kind>/<digest>/entry              a line of JSON with the key, the seconds to compute the value and the
                                                   hash of every file; then the hash of that line
                               /…                  the content, as its form writes it
                       <digest>.lock               locked while the value is computed
                       <digest>.new.…, .gone.…     an entry being written or removed

Cache failures never change a result: an unreadable entry is computed again, a value that cannot be stored is used once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from uuid import uuid4

from .errors import UserError
from .files import is_running, sync
from .fingerprint import cache_folder, digest, read_sha256
from .formatting import read_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system: two processes may compute the same value there
    fcntl = None  # type: ignore[assignment]  # None replaces a module

T = TypeVar("T")

LIMIT = "FTBENCH_CACHE_LIMIT"
"""Environment variable with the maximum size of the cache."""
DEFAULT_LIMIT = 20 * 2**30
ENTRY = "entry"
PAUSE = 0.05
"""Seconds between two checks whether another process has finished."""


class Form(Protocol[T]):
    """How a value is stored in a folder."""

    def write(self, value: T, folder: Path) -> None:
        """Write `value` into the empty `folder`."""

    def read(self, folder: Path) -> T:
        """Read the value back; may map it from disk instead of loading it."""


@dataclass(frozen=True)
class Found(Generic[T]):
    """A value, and whether it came from the cache."""

    value: T
    seconds: float
    """Seconds the value took to compute, in whichever process computed it."""
    made: bool
    """Whether it was computed by this call."""
    not_kept: str = ""
    """Why it could not be stored; empty if it was."""


@dataclass(frozen=True)
class Evicted:
    """What an eviction removed."""

    entries: int
    bytes: int


class Cache:
    """A cache folder."""

    def __init__(self, folder: Path | None = None, limit: int | None = None) -> None:
        """Store entries below `folder`, up to `limit` bytes; both default to the environment's settings."""
        self.folder = (folder or cache_folder()) / "entries"
        self.limit = cache_limit() if limit is None else limit
        self._written: int | None = None
        """Bytes written since the last eviction; None before the first one."""

    def get(
        self,
        kind: str,
        key: Any,
        make: Callable[[], T],
        form: Form[T],
        *,
        waiting: Callable[[], None] = lambda: None,
        worth: Callable[[float], float] = lambda seconds: seconds,
    ) -> Found[T]:
        """Return the entry for `key`; compute it if it is missing or damaged.

        Args:
            kind: name of the folder for entries of this kind.
            key: everything the content depends on, as a JSON value.
            make: computes the value.
            form: how the value is written and read.
            waiting: called repeatedly while another process computes the value.
            worth: maps the seconds `make` took to the seconds reported as its cost: more if `make` read another cached
                value instead of computing it.

        Raises:
            Exception: whatever `make` raises.
        """
        entry = self.folder / kind / digest(key)
        known = self._read(entry, key, form)
        if known is not None:
            return known
        with _locked(entry.with_name(f"{entry.name}.lock"), waiting) as locked:
            known = self._read(entry, key, form)
            if known is not None:
                return known
            _remove(entry)
            if locked:
                for left in entry.parent.glob(f"{entry.name}.*.*"):
                    shutil.rmtree(left, ignore_errors=True)
            begun = time.perf_counter()
            value = make()
            seconds = worth(time.perf_counter() - begun)
            not_kept = _write(entry, key, value, form, seconds)
        if not_kept:
            return Found(value, seconds, made=True, not_kept=not_kept)
        self._make_room(entry)
        return Found(_read_back(entry, form, value), seconds, made=True)

    def _read(self, entry: Path, key: Any, form: Form[T]) -> Found[T] | None:
        """Read an entry; return None if it is missing, incomplete or damaged."""
        try:
            header, check = (entry / ENTRY).read_text(encoding="utf-8").splitlines()
            table = json.loads(header)
            if check != _check(header) or table["key"] != json.loads(json.dumps(key)):
                return None
            if any(read_sha256(entry / name) != known for name, known in table["files"].items()):
                return None
            value = form.read(entry)
            with suppress(OSError):
                os.utime(entry / ENTRY)
            return Found(value, float(table["seconds"]), made=False)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it can be computed again
            return None

    def _make_room(self, fresh: Path) -> None:
        """Evict entries beyond the limit; this scans the whole cache, so once per hundredth of the limit written."""
        with suppress(OSError):
            size = sum(file.stat().st_size for file in fresh.iterdir())
            if self._written is None or self._written + size > self.limit // 100:
                self.evict(spared=fresh)
                self._written = 0
            else:
                self._written += size

    def evict(self, limit: int | None = None, spared: Path | None = None) -> Evicted:
        """Remove the least recently used entries until the rest fits into `limit` bytes; never remove `spared`."""
        entries = sorted(self._entries(), key=lambda entry: entry[0])
        total, gone, freed = sum(size for _, size, _ in entries), 0, 0
        for _, size, entry in entries:
            if total - freed <= (self.limit if limit is None else limit):
                break
            if entry != spared and _remove(entry):
                gone, freed = gone + 1, freed + size
        return Evicted(gone, freed)

    def sweep(self) -> None:
        """Remove orphans of killed processes: half-written or half-removed entries, and unlocked lock files."""
        for left in self.folder.glob("*/*.*.*"):
            owner = left.name.split(".")[2]
            if owner.isdigit() and not is_running(int(owner)):
                shutil.rmtree(left, ignore_errors=True)
        for lock in self.folder.glob("*/*.lock"):
            with _locked(lock, patient=False):
                pass

    @property
    def size(self) -> int:
        """Total bytes of all entries."""
        return sum(size for _, size, _ in self._entries())

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Yield the last use, the bytes and the folder of each entry."""
        for entry in self.folder.glob("*/*"):
            with suppress(OSError):
                if "." not in entry.name:
                    yield (entry / ENTRY).stat().st_mtime, sum(file.stat().st_size for file in entry.iterdir()), entry


def cache_limit() -> int:
    """Return the maximum size of the cache in bytes: `$FTBENCH_CACHE_LIMIT`, such as `50GB`, or 20 GiB.

    Raises:
        UserError: the variable is not a size.
    """
    given = os.environ.get(LIMIT)
    found = DEFAULT_LIMIT if given is None else read_size(given)
    if found is None:
        raise UserError(f"{LIMIT}: {given!r} is not a size; use one such as 50GB")
    return found


def _write(entry: Path, key: Any, value: T, form: Form[T], seconds: float) -> str:
    """Write an entry to a temporary folder, flush it and rename it; return why this failed, or an empty text."""
    fresh = entry.with_name(f"{entry.name}.new.{os.getpid()}.{uuid4().hex[:8]}")
    try:
        fresh.mkdir(parents=True)
        form.write(value, fresh)
        files = {path.name: read_sha256(path) for path in sorted(fresh.iterdir())}
        header = json.dumps({"key": key, "seconds": seconds, "files": files})
        (fresh / ENTRY).write_text(f"{header}\n{_check(header)}\n", encoding="utf-8")
        for path in (*fresh.iterdir(), fresh):
            sync(path)
        fresh.rename(entry)
        sync(entry.parent)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        return error.strerror or str(error)
    return ""


def _check(header: str) -> str:
    return hashlib.sha256(header.encode()).hexdigest()


def _read_back(entry: Path, form: Form[T], value: T) -> T:
    """Read back an entry that was just written, so that the value in memory can be freed."""
    try:
        return form.read(entry)
    except Exception:  # noqa: BLE001 - another process may have evicted it already
        return value


def _remove(entry: Path) -> bool:
    """Remove an entry: rename it first, so that it disappears atomically; processes that mapped it keep their data."""
    gone = entry.with_name(f"{entry.name}.gone.{os.getpid()}.{uuid4().hex[:8]}")
    try:
        entry.rename(gone)
    except OSError:
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


@contextmanager
def _locked(lock: Path, waiting: Callable[[], None] = lambda: None, *, patient: bool = True) -> Iterator[bool]:
    """Lock the file `lock`, waiting for other processes if `patient`.

    Yields whether the lock is held; if the file system cannot lock, the caller computes the value all the same.
    """
    number = _open_locked(lock, waiting, patient=patient)
    try:
        yield number is not None
    finally:
        if number is not None:
            with suppress(OSError):
                lock.unlink()
            os.close(number)


def _open_locked(lock: Path, waiting: Callable[[], None], *, patient: bool) -> int | None:
    if fcntl is None:
        return None
    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            number = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            return None
        try:
            if not _flock(number, waiting, patient=patient):
                os.close(number)
                return None
            # The former holder removes the file, so the lock may be on a file that was unlinked in the meantime.
            if os.fstat(number).st_ino == lock.stat().st_ino:
                return number
        except FileNotFoundError:
            pass
        except OSError:
            os.close(number)
            return None
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def _flock(number: int, waiting: Callable[[], None], *, patient: bool) -> bool:
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not patient:
                return False
            waiting()
            time.sleep(PAUSE)
        else:
            return True


class Arrays:
    """The form of named arrays: one file each, memory-mapped copy-on-write when read."""

    def write(self, value: Mapping[str, Any], folder: Path) -> None:
        """Write each NumPy array to a file."""
        import numpy as np

        for name, array in value.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)

    def read(self, folder: Path) -> Mapping[str, Any]:
        """Memory-map each array."""
        import numpy as np

        return {path.stem: np.load(path, mmap_mode="c", allow_pickle=False) for path in sorted(folder.glob("*.npy"))}


class Tensors:
    """The form of named tensors: one safetensors file, memory-mapped copy-on-write when read."""

    def write(self, value: Mapping[str, Any], folder: Path) -> None:
        """Write PyTorch tensors from any device.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        # safetensors rejects tensors that share memory.
        apart = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in value.items()}
        try:
            save_file(apart, folder / "tensors.safetensors", metadata={"names": json.dumps(list(apart))})
        except SafetensorError as error:
            raise OSError(str(error)) from error

    def read(self, folder: Path) -> Mapping[str, Any]:
        """Memory-map the tensors on the CPU, in the order they were written: sums over them depend on the order."""
        from safetensors import safe_open

        with safe_open(folder / "tensors.safetensors", framework="pt") as stored:
            return {name: stored.get_tensor(name) for name in json.loads(stored.metadata()["names"])}
