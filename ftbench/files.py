"""Files that ftbench wrote, read again without trusting them: regular files of a bounded size, in UTF-8, of a version that is known."""

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
    from pathlib import Path


MIB = 2**20
LARGEST = 16 * MIB
"""Bytes a record, a plan or a note beside them may have."""
DEEPEST = 64
"""Parts a dotted key of TOML may have: Python's reader takes time by their square."""
_KEY = r"""(?:"[^"\n]*"|'[^'\n]*'|[\w-]+)[ \t]*\.[ \t]*"""
_DOTTED = re.compile(rf"(?<![\w.-])(?:{_KEY}){{{DEEPEST}}}")
_VERSION = re.compile(r"(ftbench\.[a-z-]+)/(\d{1,6})")


_HALF_WRITTEN = re.compile(r"\..+\.(\d+)|.+\.tmp")
"""Names of what is renamed when it is whole."""


def read_text(path: Path, largest: int = LARGEST) -> str:
    """Read a file.

    Raises:
        FileNotFoundError: there is none.
        RunError: it is no regular file, is larger than `largest` bytes, or is not UTF-8.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise RunError(f"{path}: is no file")
        with path.open("rb") as stream:
            # No more is asked for than is there: room is made for all that is asked for.
            content = stream.read(min(status.st_size, largest) + 1)
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


def parse_json(text: str | bytes, source: str) -> Any:
    """Parse JSON whose numbers are finite.

    Raises:
        RunError: it is not JSON, or nested too deeply.
    """
    from pydantic_core import from_json

    try:
        found = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise RunError(f"{source}: not JSON: {error}") from None
    if not _is_finite(found):
        raise RunError(f"{source}: not JSON: a number is too large")
    return found


def _is_finite(found: Any) -> bool:
    """Tell whether all numbers are: one with too many digits becomes infinite when it is read."""
    if isinstance(found, float):
        return math.isfinite(found)
    if isinstance(found, dict):
        return all(map(_is_finite, found.values()))
    return all(map(_is_finite, found)) if isinstance(found, list) else True


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML in a time that grows with its length.

    Raises:
        ValueError: it is not TOML, or nested too deeply.
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
    """Let through what has the schema `known`, such as `ftbench.record/1`.

    Raises:
        RunError: it is of a newer version, or something else.
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


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Let a file or a folder survive a power cut, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def leftovers(folder: Path) -> list[Path]:
    """List the files of a folder that somebody who was killed has left half-written."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if (found := _HALF_WRITTEN.fullmatch(path.name)) and not _lives(found[1])]


def _lives(process: str | None) -> bool:
    """Tell whether the process a name ends in may still be writing: a report can be written while a runner runs."""
    import psutil

    return process is not None and int(process) != os.getpid() and psutil.pid_exists(int(process))


def remove_leftovers(folder: Path) -> None:
    """Remove them; nobody else may be writing there."""
    for path in leftovers(folder):
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
