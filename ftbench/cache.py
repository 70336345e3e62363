"""What can be computed again, kept on disk by what decides it: whole or not there, verified when read, made by one process for all.

<cache>/entries/<kind>/<digest>/entry              a line of JSON: the key, what making took, every file's hash; and its own
                               /…                  the content, as its form writes it
                       <digest>.lock               held while it is made
                       <digest>.new.…, .gone.…     on the way in, on the way out

Nothing that goes wrong with it changes a result: what cannot be read is made, and what cannot be kept is used and forgotten.
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
from .fingerprint import cache_folder, digest, read_sha256
from .formatting import read_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system: two builders both build there
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")

LIMIT = "FTBENCH_CACHE_LIMIT"
"""The variable that says how large the cache may grow."""
DEFAULT_LIMIT = 20 * 2**30
ENTRY = "entry"
PAUSE = 0.05
"""Seconds between two looks at whether another builder is done."""


class Form(Protocol[T]):
    """How a value lies in a folder."""

    def write(self, value: T, folder: Path) -> None:
        """Write `value` into `folder`, which is empty."""

    def read(self, folder: Path) -> T:
        """Read what was written; may leave it on disk until it is looked at."""


@dataclass(frozen=True)
class Found(Generic[T]):
    """A value, and where it comes from."""

    value: T
    seconds: float
    """What making it took, whoever made it."""
    made: bool
    """Whether it was made just now."""
    not_kept: str = ""
    """Why it could not be kept; empty where it is."""


@dataclass(frozen=True)
class Evicted:
    """What was let go."""

    entries: int
    bytes: int


class Cache:
    """A folder of entries."""

    def __init__(self, folder: Path | None = None, limit: int | None = None) -> None:
        """Keep entries below `folder`, up to `limit` bytes; by default as the environment says."""
        self.folder = (folder or cache_folder()) / "entries"
        self.limit = cache_limit() if limit is None else limit
        self._grown: int | None = None
        """Bytes written since the cache was last looked through; None before the first time."""

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
        """Give the entry known by `key`; make it where nobody has, or where what lies there is not what was written.

        Args:
            kind: the folder of such entries.
            key: everything that decides the content, as a JSON value.
            make: gives the value.
            form: how it is written and read.
            waiting: called now and then while another process makes it.
            worth: gives what making is said to have taken, of the seconds it took: more where something else was only read for it.

        Raises:
            Exception: what `make` raises.
        """
        place = self.folder / kind / digest(key)
        known = self._read(place, key, form)
        if known is not None:
            return known
        with _alone(place.with_name(f"{place.name}.lock"), waiting) as locked:
            known = self._read(place, key, form)
            if known is not None:
                return known
            _let_go(place)
            if locked:
                for left in place.parent.glob(f"{place.name}.*.*"):
                    shutil.rmtree(left, ignore_errors=True)
            begun = time.perf_counter()
            value = make()
            seconds = worth(time.perf_counter() - begun)
            not_kept = _write(place, key, value, form, seconds)
        if not_kept:
            return Found(value, seconds, made=True, not_kept=not_kept)
        self._make_room(place)
        return Found(_mapped(place, form, value), seconds, made=True)

    def _read(self, place: Path, key: Any, form: Form[T]) -> Found[T] | None:
        """Read an entry; None where it is not there, not whole, or not what was written."""
        try:
            told, check = (place / ENTRY).read_text(encoding="utf-8").splitlines()
            table = json.loads(told)
            if check != _check(told) or table["key"] != json.loads(json.dumps(key)):
                return None
            if any(read_sha256(place / name) != known for name, known in table["files"].items()):
                return None
            value = form.read(place)
            with suppress(OSError):
                os.utime(place / ENTRY)
            return Found(value, float(table["seconds"]), made=False)
        except Exception:  # noqa: BLE001 - however it is broken, it can be made anew
            return None

    def _make_room(self, fresh: Path) -> None:
        """Evict what is too much; looking through everything takes time, and is done whenever a hundredth of the limit was written."""
        with suppress(OSError):
            size = sum(file.stat().st_size for file in fresh.iterdir())
            if self._grown is None or self._grown + size > self.limit // 100:
                self.evict(spared=fresh)
                self._grown = 0
            else:
                self._grown += size

    def evict(self, limit: int | None = None, spared: Path | None = None) -> Evicted:
        """Let the entries go that were not used for longest, until the rest is not larger than `limit`; `spared` stays."""
        entries = sorted(self._entries(), key=lambda entry: entry[0])
        total, gone, freed = sum(size for _, size, _ in entries), 0, 0
        for _, size, place in entries:
            if total - freed <= (self.limit if limit is None else limit):
                break
            if place != spared and _let_go(place):
                gone, freed = gone + 1, freed + size
        return Evicted(gone, freed)

    def sweep(self) -> None:
        """Remove what dead builders left: folders on their way in or out, and locks that nobody holds."""
        for left in self.folder.glob("*/*.*.*"):
            owner = left.name.split(".")[2]
            if owner.isdigit() and not _lives(int(owner)):
                shutil.rmtree(left, ignore_errors=True)
        for lock in self.folder.glob("*/*.lock"):
            with _alone(lock, patient=False):
                pass

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(size for _, size, _ in self._entries())

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Yield when an entry was used last, its bytes and its folder."""
        for place in self.folder.glob("*/*"):
            with suppress(OSError):
                if "." not in place.name:
                    yield (place / ENTRY).stat().st_mtime, sum(file.stat().st_size for file in place.iterdir()), place


def cache_limit() -> int:
    """Give how many bytes the cache may hold: `$FTBENCH_CACHE_LIMIT`, such as `50GB`, or 20 GiB.

    Raises:
        UserError: the variable is no size.
    """
    given = os.environ.get(LIMIT)
    found = DEFAULT_LIMIT if given is None else read_size(given)
    if found is None:
        raise UserError(f"{LIMIT}: {given!r} is no size; give one such as 50GB")
    return found


def _write(place: Path, key: Any, value: T, form: Form[T], seconds: float) -> str:
    """Write beside and rename, everything on disk before it has its name; tells why it could not be kept."""
    fresh = place.with_name(f"{place.name}.new.{os.getpid()}.{uuid4().hex[:8]}")
    try:
        fresh.mkdir(parents=True)
        form.write(value, fresh)
        files = {path.name: read_sha256(path) for path in sorted(fresh.iterdir())}
        told = json.dumps({"key": key, "seconds": seconds, "files": files})
        (fresh / ENTRY).write_text(f"{told}\n{_check(told)}\n", encoding="utf-8")
        for path in (*fresh.iterdir(), fresh):
            _sync(path)
        fresh.rename(place)
        _sync(place.parent)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        return error.strerror or str(error)
    return ""


def _check(told: str) -> str:
    return hashlib.sha256(told.encode()).hexdigest()


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _mapped(place: Path, form: Form[T], value: T) -> T:
    """Read back what was just written, so that it need not stay in memory."""
    try:
        return form.read(place)
    except Exception:  # noqa: BLE001 - somebody let it go at once
        return value


def _let_go(place: Path) -> bool:
    """Take an entry out of the way, whole, then remove it; who has it mapped keeps it."""
    gone = place.with_name(f"{place.name}.gone.{os.getpid()}.{uuid4().hex[:8]}")
    try:
        place.rename(gone)
    except OSError:
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


@contextmanager
def _alone(lock: Path, waiting: Callable[[], None] = lambda: None, *, patient: bool = True) -> Iterator[bool]:
    """Wait until nobody else makes what `lock` is for; tells whether it is locked: where it cannot be, one builds all the same."""
    number = _locked(lock, waiting, patient=patient)
    try:
        yield number is not None
    finally:
        if number is not None:
            with suppress(OSError):
                lock.unlink()
            os.close(number)


def _locked(lock: Path, waiting: Callable[[], None], *, patient: bool) -> int | None:
    if fcntl is None:
        return None
    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            number = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            return None
        try:
            if not _taken(number, waiting, patient=patient):
                os.close(number)
                return None
            # Whoever held it before has removed it: what is held here may be a file without a name.
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


def _taken(number: int, waiting: Callable[[], None], *, patient: bool) -> bool:
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


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class Arrays:
    """The form of arrays by name: a file each, mapped when read, a change of them never written back."""

    def write(self, value: Mapping[str, Any], folder: Path) -> None:
        """Write each array of numpy."""
        import numpy as np

        for name, array in value.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)

    def read(self, folder: Path) -> Mapping[str, Any]:
        """Map each array."""
        import numpy as np

        return {path.stem: np.load(path, mmap_mode="c", allow_pickle=False) for path in sorted(folder.glob("*.npy"))}


class Tensors:
    """The form of tensors by name: one file of safetensors, mapped when read, a change of them never written back."""

    def write(self, value: Mapping[str, Any], folder: Path) -> None:
        """Write tensors of torch, wherever they are.

        Raises:
            OSError: there is no room.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        # Tensors that share memory are refused, and each is to be read alone.
        apart = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in value.items()}
        try:
            save_file(apart, folder / "tensors.safetensors", metadata={"names": json.dumps(list(apart))})
        except SafetensorError as error:
            raise OSError(str(error)) from error

    def read(self, folder: Path) -> Mapping[str, Any]:
        """Map them, on the CPU, in the order in which they were written: sums over them depend on it."""
        from safetensors import safe_open

        with safe_open(folder / "tensors.safetensors", framework="pt") as stored:
            return {name: stored.get_tensor(name) for name in json.loads(stored.metadata()["names"])}
