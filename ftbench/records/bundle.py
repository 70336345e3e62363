"""Pack a run into one file, a bundle, to share it or keep it as a baseline; unpack bundles without trusting them.

A bundle is a zip file of `manifest.json` (names, sizes and SHA-256 of the other files), `suite.lock.toml`,
`plan.json`, the planned records and predictions and, if present, `data.json`, `accepted.json` and
`calibration.json`. The same run gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..files import LARGEST as DOCUMENT
from ..files import MIB, check_version, open_file, parse_json, parsed_size
from .predictions import FOLDERS, PREDICTIONS, unpacked_size
from .run_contents import check_readable
from .store import record_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEMA = "ftbench.bundle/1"
MANIFEST = "manifest.json"
EXTRA_FILES = ("suite.lock.toml", "plan.json", "data.json", "accepted.json", "calibration.json")
"""Files of a run directory that are packed along with its records."""
LARGEST: Mapping[str, int] = {PREDICTIONS: 256 * MIB, MANIFEST: 32 * MIB}
"""Maximum bytes of a file, by name; other files have the same limit as in a run directory."""
TOTAL = 2048 * MIB
"""Maximum bytes of all files together."""
MEMBERS = 60_000
"""Maximum number of files: 30,000 trials."""
RATIO = 200
"""Maximum ratio of unpacked to packed size, for files of at least 1 MiB; records compress about fourfold, a confusion
matrix of a thousand classes 150-fold."""
PARSED, PARSED_RATIO = 512 * MIB, 250
"""Maximum memory of all documents once they are parsed: so many bytes, and so many per byte of the bundle."""
LINES, LINES_RATIO = 16 * MIB, 24
"""Maximum unpacked size of all predictions, likewise; they are packed twice, so sizes in the zip file say little."""
_CHUNK = MIB
_NAME = re.compile(
    r"(?:suite\.lock\.toml|(?:plan|data|accepted|calibration)\.json"
    r"|trials/[\w-]{1,64}/[\w-]{1,64}/(?:record\.json|predictions\.jsonl\.gz))",
    re.ASCII,
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(run: Path, output: Path) -> list[str]:
    """Write the bundle of a run directory, replacing `output` if it exists; return the names of the packed files.

    Raises:
        RunError: the folder is not a run directory or has no record, or the file cannot be written.
    """
    records = record_files(run)
    if not records:
        raise RunError(f"{run}: no trial has finished yet")
    records += record_files(run, tuning=True)
    predictions = [path.with_name(PREDICTIONS) for path in records]
    if len(records) * 2 + len(EXTRA_FILES) >= MEMBERS:
        raise RunError(f"{run}: has more than {MEMBERS // 2:,} records, the maximum of a bundle")
    files = [(run / name, 0) for name in EXTRA_FILES] + [(path, FOLDERS) for path in (*records, *predictions)]
    named = {path.relative_to(run).as_posix(): (path, folders) for path, folders in files if os.path.lexists(path)}
    unknown = sorted(name for name in named if not _NAME.fullmatch(name))
    if unknown:
        raise RunError(f"{run / unknown[0]}: is not a valid name for a record's file")
    table = {name: _described(*place) for name, place in sorted(named.items())}
    manifest = json.dumps({"schema": SCHEMA, "files": table}, indent=1) + "\n"
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_entry(MANIFEST), manifest)
            for name in table:
                with open_file(*named[name]) as source, archive.open(_entry(name), "w") as target:
                    shutil.copyfileobj(source, target, _CHUNK)
        _read_back(temporary, run)
        temporary.replace(output)
    except OSError as error:
        raise RunError(f"{output}: cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return list(table)


def _described(path: Path, folders: int) -> dict[str, Any]:
    """Return the SHA-256 and the size of a file, for the manifest."""
    try:
        with open_file(path, folders) as stream:
            return {"sha256": hashlib.file_digest(stream, "sha256").hexdigest(), "bytes": stream.tell()}
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None


def _read_back(bundle: Path, run: Path) -> None:
    """Check that a bundle can be unpacked and read by every command; show its files by their place in `run`.

    Raises:
        RunError: a file is not what ftbench writes.
    """
    with TemporaryDirectory(prefix="ftbench-") as temporary:
        folder = Path(temporary)
        try:
            unpack(bundle, folder)
            check_readable(folder)
        except RunError as error:
            shown = ((str(folder), str(run)), (str(bundle), str(run)))
            raise RunError(*(_replaced(line, shown) for line in error.mistakes)) from None


def _replaced(line: str, shown: Iterable[tuple[str, str]]) -> str:
    for old, new in shown:
        line = line.replace(old, new)
    return line


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry


def unpack(bundle: Path, folder: Path) -> None:
    """Write the files of a bundle to `folder`, checked against the manifest; no code is run and nothing is unpickled.

    Raises:
        RunError: the file is not a bundle, or the names, kinds, sizes or hashes of its files are invalid.
    """
    try:
        _check_directory_size(bundle)
        with zipfile.ZipFile(bundle) as archive:
            entries = _entries(archive, bundle)
            listed = _manifest(archive, entries, bundle)
            budget = _Budget(bundle)
            for name, promised in listed.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if _copy(archive, entries[name], path) != promised:
                    raise RunError(f"{bundle}: {name} does not match the manifest: its SHA-256 differs")
                budget.spend(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise RunError(f"{bundle}: not a bundle: {error}") from None
    except OSError as error:
        raise RunError(f"{bundle}: cannot be read: {error.strerror}") from None


class _Budget:
    """What reading the files of a bundle may cost, before any is parsed: a small bundle must not fill the memory."""

    def __init__(self, bundle: Path) -> None:
        size = bundle.stat().st_size
        self._bundle = bundle
        self._parsed = PARSED + PARSED_RATIO * size
        self._lines = LINES + LINES_RATIO * size

    def spend(self, path: Path) -> None:
        """Count a file.

        Raises:
            RunError: the files counted so far are too many.
        """
        if path.name == PREDICTIONS:
            self._lines -= unpacked_size(path)
        else:
            self._parsed -= parsed_size(path.read_bytes())
        if min(self._parsed, self._lines) < 0:
            raise RunError(f"{self._bundle}: takes too much memory to read for its size, up to {path.name}")


def _entries(archive: zipfile.ZipFile, bundle: Path) -> dict[str, zipfile.ZipInfo]:
    """Check every zip entry before any is read."""
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    if len(archive.infolist()) > MEMBERS:
        raise RunError(f"{bundle}: has more than {MEMBERS:,} files")
    for entry in archive.infolist():
        name = entry.filename
        if name != MANIFEST and not _NAME.fullmatch(name):
            raise RunError(f"{bundle}: {name[:80]!r} is not a name of a file of a run")
        if name in found:
            raise RunError(f"{bundle}: {name} is listed twice")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise RunError(f"{bundle}: {name} is not a regular file")
        if entry.flag_bits & 1:
            raise RunError(f"{bundle}: {name} is encrypted")
        if entry.file_size > _limit(name):
            raise RunError(f"{bundle}: {name} is larger than {_limit(name) // MIB} MiB")
        if entry.file_size > max(MIB, RATIO * entry.compress_size):
            raise RunError(f"{bundle}: {name} unpacks to more than {RATIO} times its size")
        total += entry.file_size
        found[name] = entry
    if total > TOTAL:
        raise RunError(f"{bundle}: its files are larger than {TOTAL // MIB:,} MiB in total")
    return found


def _check_directory_size(bundle: Path) -> None:
    """Raise if the bundle has too many entries, before the zip directory is read into memory.

    The directory's size is at the very end of the file: a bundle has no zip comment and too few files for a zip64 end
    record.

    Raises:
        RunError: the bundle has too many entries, or is not a zip file without a comment.
    """
    if not stat.S_ISREG(bundle.stat().st_mode):
        raise RunError(f"{bundle}: is not a file")
    with bundle.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - 42))
        tail = stream.read()
    locator, end = tail[-42:-22], tail[-22:]
    if not end.startswith(b"PK\x05\x06") or end[20:] != b"\0\0":
        raise RunError(f"{bundle}: not a bundle: a zip file without a comment is expected")
    if locator.startswith(b"PK\x06\x07") or int.from_bytes(end[12:16], "little") > 256 * MEMBERS:
        raise RunError(f"{bundle}: has more than {MEMBERS:,} files")


def _limit(name: str) -> int:
    return LARGEST.get(name.rpartition("/")[2], DOCUMENT)


def _manifest(archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], bundle: Path) -> dict[str, str]:
    """Return name → SHA-256 of the files in the manifest, which must be exactly the files in the archive."""
    if MANIFEST not in entries:
        raise RunError(f"{bundle}: not a bundle: it has no {MANIFEST}; `ftbench bundle` writes one")
    try:
        table: Any = parse_json(archive.read(MANIFEST), str(bundle))
        schema = table.get("schema")
    except (RunError, AttributeError):
        raise RunError(f"{bundle}: {MANIFEST} is not a manifest") from None
    check_version(schema, SCHEMA, str(bundle))
    try:
        listed = {str(name): str(about["sha256"]) for name, about in table["files"].items()}
    except (KeyError, TypeError, AttributeError):
        raise RunError(f"{bundle}: {MANIFEST} is not a manifest") from None
    for name in sorted({*listed} ^ ({*entries} - {MANIFEST})):
        raise RunError(f"{bundle}: {name[:80]!r} is {'missing' if name in listed else 'not in the manifest'}")
    return listed


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> str:
    """Write one file and return its SHA-256; `zipfile` reads no more than its entry declares."""
    found = hashlib.sha256()
    with archive.open(entry) as source, path.open("xb") as target:
        while chunk := source.read(_CHUNK):
            found.update(chunk)
            target.write(chunk)
    return found.hexdigest()
