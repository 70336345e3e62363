"""Read untrusted files safely, write files atomically, and find files that killed processes left half-written."""

from __future__ import annotations

import math
import os
import re
import shutil
import stat
import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .errors import RunError

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path


MIB = 2**20
LARGEST = 16 * MIB
"""Maximum size in bytes of a record, a plan or one of the small files next to them."""
MEMORY = 384 * MIB
"""Maximum memory in bytes that a JSON document may need once it is parsed; see `parsed_size`.

Two bundles are compared in less than a gigabyte.
"""
_SMALL = MIB // 4
_PER_BYTE = 36
"""Bytes in memory per byte of JSON in the worst case, a list of objects of one object each: `{"a":{}},`."""
_WEIGHTS = {"{": 72, "[": 64, ",": 32, ":": 130, '"': 25}
"""Bytes in memory per character of JSON: for objects, places in lists and objects, numbers, texts."""
DEEPEST = 64
"""Maximum number of parts in a dotted TOML key; Python's parser needs time quadratic in it."""
_KEY = r"""(?:"[^"\n]*"|'[^'\n]*'|[\w-]+)[ \t]*\.[ \t]*"""
_DOTTED = re.compile(rf"(?<![\w.-])(?:{_KEY}){{{DEEPEST}}}")
_VERSION = re.compile(r"(ftbench\.[a-z-]+)/(\d{1,6})")


_IS_A_LINK = "is a link, and links are not followed here; replace it with what it points to"
_HALF_WRITTEN = re.compile(r"\..+\.(\d+)|.+\.tmp")
"""Names of temporary files and folders, renamed once complete; the number is the writer's process id."""


def read_text(path: Path, largest: int = LARGEST, *, folders: int = 0) -> str:
    """Read a regular UTF-8 file of bounded size.

    Args:
        path: the file.
        largest: maximum size in bytes.
        folders: number of parent folders that must not be links either; see `open_file`.

    Raises:
        FileNotFoundError: the file does not exist.
        RunError: it is a link, is not a regular file, is larger than `largest` bytes, or is not UTF-8.
    """
    try:
        with open_file(path, folders) as stream:
            # `read(n)` allocates n bytes, so request no more than the file has.
            content = stream.read(min(os.fstat(stream.fileno()).st_size, largest) + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > largest:
        raise RunError(f"{path}: is larger than {largest // MIB} MiB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: not UTF-8 at byte {error.start}") from None


def open_file(path: Path, folders: int = 0) -> BufferedReader:
    """Open a regular file for reading, without following a link and without waiting for a pipe.

    Args:
        path: the file.
        folders: number of parent folders that must not be links either: of a file in a run directory, the folders up
            to that directory, which itself may be one.

    Raises:
        FileNotFoundError: the file does not exist.
        RunError: the file or one of the folders is a link, or the file is not a regular one.
        OSError: it cannot be read.
    """
    name = os.fspath(path)  # methods of `Path` take longer than reading a file, and there are thousands
    mode = os.lstat(name).st_mode  # first, because most trials keep no predictions
    check_no_links(os.path.dirname(name) or ".", folders)  # noqa: PTH120 - see above
    if stat.S_ISLNK(mode):
        raise RunError(f"{path}: {_IS_A_LINK}")
    if not stat.S_ISREG(mode):
        raise RunError(f"{path}: is not a file")
    return open(name, "rb", opener=_opener)


def _opener(path: str, flags: int) -> int:
    # The file may have been replaced since its kind was read.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def check_no_links(folder: Path | str, folders: int) -> None:
    """Raise if `folder` or one of the folders above it is a link, `folders` of them in all; they may be missing.

    Raises:
        RunError: a folder is a link, or is not a folder.
    """
    place = os.fspath(folder)
    for _ in range(folders):
        with suppress(OSError):  # a folder above it is not one, which is found next
            mode = os.lstat(place).st_mode
            if stat.S_ISLNK(mode):
                raise RunError(f"{place}: {_IS_A_LINK}")
            if not stat.S_ISDIR(mode):
                raise RunError(f"{place}: is not a folder")
        place = os.path.dirname(place)  # noqa: PTH120 - faster on thousands of records


def parse_json(text: str | bytes, source: str) -> Any:
    """Parse JSON in which every number is finite.

    Raises:
        RunError: the text is not JSON, or is nested too deeply.
    """
    from pydantic_core import from_json

    check_parsed_size(text, source)
    try:
        found = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise RunError(f"{source}: not JSON: {error}") from None
    if not _is_finite(found):
        raise RunError(f"{source}: not JSON: a number is too large")
    return found


def parsed_size(text: str | bytes) -> int:
    """Return an estimate from above, in bytes, of the memory that a JSON document takes once it is parsed.

    Small documents are not looked at, but taken for the worst case.
    """
    if len(text) <= _SMALL:
        return _PER_BYTE * len(text)
    kinds = _WEIGHTS.items()
    if isinstance(text, str):
        return len(text) + sum(text.count(kind) * weight for kind, weight in kinds)
    return len(text) + sum(text.count(kind.encode()) * weight for kind, weight in kinds)


def check_parsed_size(text: str | bytes, source: str) -> None:
    """Raise if a JSON document would take too much memory once it is parsed.

    Raises:
        RunError: it would take more than `MEMORY`.
    """
    if len(text) > _SMALL and parsed_size(text) > MEMORY:
        raise RunError(f"{source}: has too many values: it would take more than {MEMORY // MIB} MiB of memory")


def _is_finite(found: Any) -> bool:
    """Return whether all numbers are finite: the parser turns a number with too many digits into infinity."""
    if isinstance(found, float):
        return math.isfinite(found)
    if isinstance(found, dict):
        return all(map(_is_finite, found.values()))
    return all(map(_is_finite, found)) if isinstance(found, list) else True


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML in time linear in its length.

    Raises:
        ValueError: the text is not TOML, or is nested too deeply.
    """
    found = _DOTTED.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"a key of more than {DEEPEST} parts in line {line}")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def check_version(found: Any, known: str, source: str) -> None:
    """Raise unless the schema `found` is `known`, such as `ftbench.record/1`.

    Raises:
        RunError: the schema is a newer version, or a different one.
    """
    if found == known:
        return
    match = _VERSION.fullmatch(found) if isinstance(found, str) else None
    name, _, version = known.partition("/")
    if match and match[1] == name and int(match[2]) > int(version):
        raise RunError(
            f"{source}: made by a newer ftbench ({found}; this one reads {known}); update ftbench to read it"
        )
    raise RunError(f"{source}: schema {str(found)[:80]!r} is not {known!r}, which this version of ftbench reads")


def write_whole(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file atomically: readers see the old file or the complete new one.

    Args:
        path: the file.
        text: its content.
        durable: whether the write must also survive a power cut; flushing to disk takes milliseconds.

    Raises:
        OSError: the file cannot be written. The old file is kept.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)  # an earlier process of this id may have left it
        with temporary.open("x", encoding="utf-8") as stream:
            stream.write(text)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        with suppress(OSError):  # some file systems cannot flush a folder
            sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file or a folder to disk, so that it survives a power cut.

    Raises:
        OSError: the file system cannot flush it, or the disk is full.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def orphaned_files(folder: Path) -> list[Path]:
    """List the half-written files and folders in `folder` whose writer is no longer running."""
    if not folder.is_dir():
        return []
    return [
        path for path in folder.iterdir() if (found := _HALF_WRITTEN.fullmatch(path.name)) and not _is_written(found[1])
    ]


def _is_written(process: str | None) -> bool:
    """Return whether another running process may still be writing: reports may be written while a runner runs."""
    return process is not None and int(process) != os.getpid() and is_running(int(process))


def is_running(process: int) -> bool:
    """Return whether a process with this id exists."""
    import psutil

    return process < 2**31 and psutil.pid_exists(process)  # a file may be named after any number


def remove_orphaned_files(folder: Path) -> None:
    """Remove the orphaned files of `folder`; no other process may be writing to it."""
    for path in orphaned_files(folder):
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
