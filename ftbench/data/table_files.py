"""Read a user's files into tables: CSV, TSV, JSON lines and Parquet, or what `datasets` wrote with `save_to_disk`.

Folders of images or sounds become tables of their paths.
"""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..errors import UserError
from ..fingerprint import cache_folder, digest, file_sha256, remembered
from .tables import ListedTable, StoredTable

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".ndjson": "json", ".json": "json", ".parquet": "parquet"}
"""File suffix → the reader of `datasets` for it."""


def table_columns(path: Path, *, quoted: bool = True) -> tuple[str, ...]:
    """Read the column names only.

    Args:
        path: the file.
        quoted: whether cells of a CSV or TSV file may be in double quotes.

    Raises:
        UserError: the file is missing, empty, of an unknown type, or its content does not match its suffix.
    """
    kind = _kind(path)
    if kind == "parquet":
        import pyarrow.parquet

        try:
            return tuple(pyarrow.parquet.read_schema(path).names)
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: not a Parquet file: {_first_line(error)}") from None
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            if kind == "csv":
                found = next(
                    csv.reader(
                        stream, delimiter=_delimiter(path), quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
                    ),
                    [],
                )
            else:
                first = _first_row(stream, whole=path.suffix.lower() == ".json")
                found = list(first) if isinstance(first, dict) else []
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except (ValueError, OSError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: {_first_line(error)}") from None
    if not found:
        raise UserError(
            f"{path}: is empty; the first line must {'name the columns' if kind == 'csv' else 'be a JSON object'}"
        )
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise UserError(f"{path}: two columns are called {twice[0]!r}")
    return tuple(found)


def read_table(*paths: Path, features: Any = None, quoted: bool = True) -> StoredTable:
    """Read files of one type as one table, into memory-mapped Arrow files in the cache folder, where they are reused.

    All cells of CSV and TSV files are text: `NA` and `007` are not converted.

    Args:
        paths: the files, in the order of their rows.
        features: `datasets.Features` to read them with; by default they are inferred.
        quoted: whether cells of a CSV or TSV file may be in double quotes.

    Raises:
        UserError: a file is missing, its content does not match its suffix, or the files have different columns.
    """
    datasets = _library()
    first = paths[0]
    kind, columns = _kind(first), _columns_of_all(paths, quoted=quoted)
    if kind != "parquet":
        for path in paths:
            _check_encoding(path)
    options: dict[str, Any] = {"features": features}
    if kind == "csv":
        texts = datasets.Features({name: datasets.Value("string") for name in columns})
        options = {
            "features": features or texts,
            "sep": _delimiter(first),
            "keep_default_na": False,
            "na_values": [],
            "index_col": False,
        }
        if not quoted:
            options["quoting"] = csv.QUOTE_NONE
    content = file_sha256(first)[:32] if len(paths) == 1 else digest([file_sha256(path) for path in paths])
    folder = cache_folder() / "tables" / content
    try:
        data = datasets.load_dataset(
            kind, data_files=[str(path) for path in paths], split="train", cache_dir=str(folder), **options
        )
    except Exception as error:  # noqa: BLE001 - every error of the reader is reported to the user
        if len(paths) > 1:
            for path in paths:
                read_table(path, features=features, quoted=quoted)  # raises for the broken file, with its name
        cause = error.__cause__ or error
        if "corresponds to no data" in str(cause):
            raise UserError(f"{first}: has no rows") from None
        of = f" with {len(paths) - 1} more" if len(paths) > 1 else ""
        hint = (
            "; if cells are never quoted, set quoted = false" if kind == "csv" and "inside string" in str(cause) else ""
        )
        raise UserError(f"{first}{of}: cannot be read as {first.suffix[1:]}: {_first_line(cause)}{hint}") from None
    return StoredTable(first.stem, _undecoded(data))


def _check_encoding(path: Path) -> None:
    """Check that a text file is UTF-8 throughout, because the JSON lines reader does not; the result is remembered.

    Raises:
        UserError: it is not; the message contains the line number.
    """

    def first_broken_line() -> int:
        lines = 0
        with path.open("rb") as stream:
            while part := stream.read(2**24) + stream.readline():
                try:
                    part.isascii() or part.decode()
                except UnicodeDecodeError as error:
                    return lines + part.count(b"\n", 0, error.start) + 1
                lines += part.count(b"\n")
        return 0

    broken = remembered("utf-8", file_sha256(path), first_broken_line)
    if broken:
        raise UserError(f"{path}: not UTF-8 in line {broken}; save it as UTF-8")


def _columns_of_all(paths: Sequence[Path], *, quoted: bool) -> tuple[str, ...]:
    """Return the columns of files that form one table.

    Raises:
        UserError: a file has other columns than the first.
    """
    columns = table_columns(paths[0], quoted=quoted)
    for path in paths[1:]:
        others = table_columns(path, quoted=quoted)
        if set(others) != set(columns):
            raise UserError(
                f"{path}: its columns are {', '.join(others)}; those of {paths[0].name} are {', '.join(columns)}"
            )
    return columns


def stored_splits(folder: Path) -> dict[str, StoredTable] | None:
    """Open a folder written by `save_to_disk` of `datasets`; None if it is not one.

    Returns:
        Split → table; a data set without splits is one split with the name of the folder.
    """
    if not ((folder / "dataset_dict.json").exists() or (folder / "state.json").exists()):
        return None
    datasets = _library()
    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # noqa: BLE001 - every error of the reader is reported to the user
        raise UserError(f"{folder}: cannot be read as a saved data set: {_first_line(error)}") from None
    if not isinstance(found, dict):
        found = {folder.name: found}
    return {name: StoredTable(name, _undecoded(data)) for name, data in found.items()}


def list_files(folder: Path, suffixes: Sequence[str], pattern: str = "") -> ListedTable:
    """List the files of a folder and its subfolders, sorted by path.

    The columns are `path`, `label` (name of the parent folder), and the fields of `pattern`.

    Args:
        folder: the folder; subfolders and files whose name starts with a dot are skipped.
        suffixes: suffixes of the files, in lower case, with their dot.
        pattern: pattern of the file names without suffix, such as `{label}_{speaker}_{index}`.

    Raises:
        UserError: no file has such a suffix, or a name does not match the pattern.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    paths = sorted(
        Path(place, name).relative_to(folder)
        for place, _, names in os.walk(folder, followlinks=True)
        for name in names
        if Path(name).suffix.lower() in suffixes
        and not any(part.startswith(".") for part in Path(place, name).relative_to(folder).parts)
    )
    if not paths:
        raise UserError(f"{folder}: no file ends in {', '.join(suffixes)}")
    cells: dict[str, list[Any]] = {
        "path": [str(folder.absolute() / path) for path in paths],
        "label": [path.parent.name for path in paths],
    }
    if pattern:
        expression = _regular_expression(pattern)
        found = [expression.fullmatch(path.stem) for path in paths]
        for path, match in zip(paths, found, strict=True):
            if match is None:
                raise UserError(f"{folder / path}: the name does not match the pattern {pattern!r}")
        cells |= {name: [match[name] for match in found if match] for name in expression.groupindex}
    return ListedTable(folder.name, cells)


def _regular_expression(pattern: str) -> re.Pattern[str]:
    """Convert a pattern such as `{label}_{speaker}` into a regular expression.

    Raises:
        UserError: a field occurs twice, or is not an identifier.
    """
    parts = re.split(r"\{(\w+)\}", pattern)
    try:
        return re.compile(
            "".join(re.escape(part) if place % 2 == 0 else f"(?P<{part}>.+?)" for place, part in enumerate(parts))
        )
    except re.error as error:
        raise UserError(f"pattern: {pattern!r} is not valid: {error}") from None


def _first_row(stream: IO[str], *, whole: bool) -> Any:
    """Read the first row: the first line of JSON lines, or the first item of the list in a JSON file (`whole`)."""
    if not whole:
        return json.loads(next(stream, "") or "{}")
    text = stream.read()
    try:
        rows = json.loads(text or "{}")
    except ValueError:
        rows = json.loads(text.partition("\n")[0])
    return next(iter(rows), {}) if isinstance(rows, list) else rows


def _kind(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: unknown file type {path.suffix or '(no suffix)'}; known types: {', '.join(SUFFIXES)}")
    return kind


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _library() -> Any:
    """Import `datasets` with progress bars, logging and download counts switched off."""
    import threading

    import datasets
    from tqdm import tqdm

    # The default lock is a semaphore that would outlive a killed trial.
    tqdm.set_lock(threading.RLock())
    # Otherwise it reports every use of its readers to a server.
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    datasets.disable_progress_bars()
    # Its exceptions contain everything that it logs about a broken file.
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    return datasets


def _undecoded(data: Any) -> Any:
    """Disable decoding of images and sounds, because the decoders of `datasets` need packages not installed here."""
    import datasets

    for name, feature in data.features.items():
        if isinstance(feature, datasets.Image | datasets.Audio):
            data = data.cast_column(name, type(feature)(decode=False))
    return data


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
