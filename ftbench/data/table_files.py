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
"""Ending of a file → the reader of `datasets` that reads it."""


def table_columns(path: Path, *, quoted: bool = True) -> tuple[str, ...]:
    """Read the names of the columns alone.

    Args:
        path: the file.
        quoted: whether a cell of a CSV or TSV file may stand in double quotes.

    Raises:
        UserError: the file is missing, empty, of an unknown kind, or not what its name says.
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
    """Read files of one kind, as one table, into memory-mapped Arrow files under the cache folder; read before, it is there at once.

    The cells of CSV and TSV files are texts, whatever they look like: `NA` and `007` stay what they are.

    Args:
        paths: the files, in the order of their rows.
        features: `datasets.Features` to read them as; by default what they hold.
        quoted: whether a cell of a CSV or TSV file may stand in double quotes.

    Raises:
        UserError: a file is missing or not what its name says, or the files do not fit together.
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
    except Exception as error:  # noqa: BLE001 - whatever the reader says of the file is the user's to know
        if len(paths) > 1:
            for path in paths:
                read_table(path, features=features, quoted=quoted)  # the one that is broken says so by its name
        cause = error.__cause__ or error
        if "corresponds to no data" in str(cause):
            raise UserError(f"{first}: has no rows") from None
        of = f" with {len(paths) - 1} more" if len(paths) > 1 else ""
        hint = (
            "; where cells never stand in quotes, say quoted = false"
            if kind == "csv" and "inside string" in str(cause)
            else ""
        )
        raise UserError(f"{first}{of}: cannot be read as {first.suffix[1:]}: {_first_line(cause)}{hint}") from None
    return StoredTable(first.stem, _undecoded(data))


def _check_encoding(path: Path) -> None:
    """See that a text file is UTF-8 to its end, once for its content: the reader of JSON lines would not notice.

    Raises:
        UserError: it is not, with the line.
    """

    def look() -> int:
        lines = 0
        with path.open("rb") as stream:
            while part := stream.read(2**24) + stream.readline():
                try:
                    part.isascii() or part.decode()
                except UnicodeDecodeError as error:
                    return lines + part.count(b"\n", 0, error.start) + 1
                lines += part.count(b"\n")
        return 0

    broken = remembered("utf-8", file_sha256(path), look)
    if broken:
        raise UserError(f"{path}: not UTF-8 in line {broken}; save it as UTF-8")


def _columns_of_all(paths: Sequence[Path], *, quoted: bool) -> tuple[str, ...]:
    """Give the columns of files that are to be one table.

    Raises:
        UserError: a file has others than the first.
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
    """Open what `datasets` wrote with `save_to_disk`: its splits, or one called after the folder; None where it is no such folder."""
    if not ((folder / "dataset_dict.json").exists() or (folder / "state.json").exists()):
        return None
    datasets = _library()
    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # noqa: BLE001 - as above
        raise UserError(f"{folder}: cannot be read as a saved data set: {_first_line(error)}") from None
    if not isinstance(found, dict):
        found = {folder.name: found}
    return {name: StoredTable(name, _undecoded(data)) for name, data in found.items()}


def list_files(folder: Path, suffixes: Sequence[str], pattern: str = "") -> ListedTable:
    """List the files below a folder, in the order of their names.

    Columns: `path`, `label` (the folder a file lies in), and what `pattern` finds in the file's name.

    Args:
        folder: searched with all folders below it; those whose name begins with a dot are left out.
        suffixes: endings of the files wanted, small letters, with their dot.
        pattern: of a file's name without its ending, such as `{label}_{speaker}_{index}`.

    Raises:
        UserError: there is no such file, or a name does not fit the pattern.
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
        expression = _expression(pattern)
        found = [expression.fullmatch(path.stem) for path in paths]
        for path, match in zip(paths, found, strict=True):
            if match is None:
                raise UserError(f"{folder / path}: the name does not fit the pattern {pattern!r}")
        cells |= {name: [match[name] for match in found if match] for name in expression.groupindex}
    return ListedTable(folder.name, cells)


def _expression(pattern: str) -> re.Pattern[str]:
    """Turn `{label}_{speaker}` into a regular expression.

    Raises:
        UserError: a name stands twice, or is none.
    """
    parts = re.split(r"\{(\w+)\}", pattern)
    try:
        return re.compile(
            "".join(re.escape(part) if place % 2 == 0 else f"(?P<{part}>.+?)" for place, part in enumerate(parts))
        )
    except re.error as error:
        raise UserError(f"pattern: {pattern!r} is no pattern: {error}") from None


def _first_row(stream: IO[str], *, whole: bool) -> Any:
    """Read the first row of JSON: of lines the first; of a whole file the first of its list."""
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
        raise UserError(
            f"{path}: files that end in {path.suffix or 'nothing'} are not known; known: {', '.join(SUFFIXES)}"
        )
    return kind


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _library() -> Any:
    """Import `datasets`, without its progress bars."""
    import threading

    import datasets
    from tqdm import tqdm

    # Its bars would make a semaphore that outlives a trial that is ended.
    tqdm.set_lock(threading.RLock())
    # It would count each use of its readers on a server.
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(
        datasets.logging.CRITICAL
    )  # what it has to say of a broken file is in what it raises, too
    return datasets


def _undecoded(data: Any) -> Any:
    """Leave images and sounds as the bytes they were: the library's own decoders need what is not installed here."""
    import datasets

    for name, feature in data.features.items():
        if isinstance(feature, datasets.Image | datasets.Audio):
            data = data.cast_column(name, type(feature)(decode=False))
    return data


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
