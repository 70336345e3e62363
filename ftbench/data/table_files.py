"""Read a user's files into tables: CSV, TSV, JSON, Parquet and Excel, or what `datasets` wrote with `save_to_disk`.

Folders of images or sounds become tables of their paths.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..fingerprint import cache_folder, digest, file_sha256, files_below
from .reading import delimited_files, json_files, workbooks
from .reading.arrow_tables import inferred, library, parquet_features, parquet_parts, stored, undecoded
from .reading.delimited_files import dialect_of
from .reading.json_files import json_columns, json_rows
from .reading.text_files import COMPRESSED, TextFormat, bare_name, content_suffix
from .tables import CHUNK, ListedTable, StoredTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUFFIXES = {
    ".csv": "text",
    ".tsv": "text",
    ".tab": "text",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    **dict.fromkeys(workbooks.SUFFIXES, "workbook"),
}
"""File suffix → how such files are read; CSV and JSON may also be compressed: `.csv.gz`."""
_SHEETS = (".xlsb", ".xls", ".ods")
ANY_FORM = TextFormat()
READERS = [1, delimited_files.READER, json_files.READER, workbooks.READER]
"""Versions of what is stored; part of cache keys."""


def is_table(name: str) -> bool:
    """Return whether a file is a table, by its name."""
    suffix = Path(bare_name(name)).suffix.lower()
    return suffix in SUFFIXES and (bare_name(name) == name or SUFFIXES[suffix] in {"text", "json"})


def table_columns(path: Path, form: TextFormat = ANY_FORM) -> tuple[str, ...]:
    """Return the column names of a file.

    Args:
        path: the file.
        form: how a text file is written, if it is not to be recognised.

    Raises:
        UserError: the file is missing, empty, of an unknown type, or its content does not match its suffix.
    """
    kind = _kind(path, form)
    if kind == "text":
        return dialect_of(path, form).columns
    if kind == "json":
        return tuple(name for name in json_columns(path, form) if name)
    if kind == "workbook":
        return workbooks.workbook_columns(path, form)
    import pyarrow.parquet

    try:
        return tuple(pyarrow.parquet.read_schema(path).names)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a Parquet file: {_first_line(error)}") from None


def read_table(*paths: Path, features: Any = None, form: TextFormat = ANY_FORM) -> StoredTable:
    """Read files of one type as one table, into a memory-mapped Arrow file in the cache folder, where it is reused.

    All cells of CSV and TSV files and of workbooks are text: `NA` and `007` are not converted. Columns without a name
    are left out.

    Args:
        paths: the files, in the order of their rows.
        features: `datasets.Features` to read them with; by default they are inferred.
        form: how text files are written, if it is not to be recognised.

    Raises:
        UserError: a file is missing, its content does not match its suffix, or the files have different columns.
    """
    kind = _kind(paths[0], form)
    _check_columns(paths, kind, form)
    identity = [kind, READERS, [(file_sha256(path), content_suffix(path)) for path in paths], asdict(form)]
    place = cache_folder() / "tables" / f"{digest([identity, features.to_dict() if features else None])}.arrow"

    def make() -> tuple[Any, Iterator[dict[str, Any]]]:
        own = features or _features(paths, kind, form)
        return own, (part for path in paths for part in _parts(path, kind, form, tuple(own)))

    try:
        data = stored(place, make)
    except UserError as error:
        raise UserError(*(_placed(mistake, paths) for mistake in error.mistakes)) from None
    if not len(data):
        raise UserError(f"{paths[0]}: has no rows")
    return StoredTable(Path(bare_name(paths[0].name)).stem, undecoded(data))


def _placed(mistake: str, paths: Sequence[Path]) -> str:
    return f"{paths[0]}: {mistake}" if mistake.startswith("a cell") else mistake


def _check_columns(paths: Sequence[Path], kind: str, form: TextFormat) -> None:
    """Check that files that form one table have the same columns; of JSON, a row may lack some anyway.

    Raises:
        UserError: a file has other columns than the first.
    """
    columns = table_columns(paths[0], form)
    for path in paths[1:]:
        others = table_columns(path, form)
        if set(others) != set(columns) and kind != "json":
            raise UserError(
                f"{path}: its columns are {', '.join(others)}; those of {paths[0].name} are {', '.join(columns)}"
            )


def _features(paths: Sequence[Path], kind: str, form: TextFormat) -> Any:
    """Return the `datasets.Features` of files: texts, or what their cells are."""
    if kind == "parquet":
        return parquet_features(paths)
    if kind == "json":
        columns = tuple(dict.fromkeys(name for path in paths for name in table_columns(path, form)))
        return inferred(part for path in paths for part in _parts(path, kind, form, columns))
    datasets = library()
    return datasets.Features({name: datasets.Value("string") for name in table_columns(paths[0], form)})


def _parts(path: Path, kind: str, form: TextFormat, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the cells of a file, `CHUNK` rows at a time."""
    if kind == "parquet":
        yield from parquet_parts(path, CHUNK)
    elif kind == "text":
        yield from delimited_files.batches(path, form, CHUNK)
    elif kind == "workbook":
        yield from workbooks.batches(path, form, CHUNK)
    else:
        rows = json_rows(path, form)
        while part := list(islice(rows, CHUNK)):
            yield {name: [row.get(name) for row in part] for name in columns}


def row_lines(path: Path, form: TextFormat = ANY_FORM) -> Iterator[int] | None:
    """Yield the line where each row of a file begins, or its number in the sheet, from 1; None for other files."""
    kind = _kind(path, form)
    if kind == "workbook":
        return workbooks.sheet_rows(path, form)
    if kind == "text":
        return delimited_files.row_lines(path, form)
    return json_files.row_lines(path, form) if content_suffix(path) in json_files.LINES else None


def stored_splits(folder: Path) -> dict[str, StoredTable] | None:
    """Open a folder written by `save_to_disk` of `datasets`; None if it is not one.

    Returns:
        Split → table; a data set without splits is one split with the name of the folder.
    """
    if not ((folder / "dataset_dict.json").exists() or (folder / "state.json").exists()):
        return None
    datasets = library()
    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # noqa: BLE001 - every error of the reader is reported to the user
        raise UserError(f"{folder}: cannot be read as a saved data set: {_first_line(error)}") from None
    if not isinstance(found, dict):
        found = {folder.name: found}
    return {name: StoredTable(name, undecoded(data)) for name, data in found.items()}


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
    files = files_below(folder)[0]
    paths = [path.relative_to(folder) for path in files if _is_listed(path, folder, suffixes)]
    if not paths:
        others = ", ".join(sorted({path.suffix.lower() or "no suffix" for path in files})[:5])
        hint = f"; its files end in {others}" if others else ""
        raise UserError(f"{folder}: no file ends in {', '.join(suffixes)}{hint}")
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


def _is_listed(path: Path, folder: Path, suffixes: Sequence[str]) -> bool:
    return path.suffix.lower() in suffixes and not is_hidden(path.relative_to(folder))


def is_hidden(path: Path) -> bool:
    """Return whether a part of a relative path begins with a dot."""
    return any(part.startswith(".") for part in path.parts)


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


def _kind(path: Path, form: TextFormat) -> str:
    """Return how a file is read.

    Raises:
        UserError: it is missing, or of a type that cannot be read.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    suffix = content_suffix(path)
    if form.sheet and not (is_table(path.name) and SUFFIXES[suffix] == "workbook"):
        raise UserError(f"{path}: sheet: applies only to Excel workbooks, .xlsx and .xlsm")
    if is_table(path.name):
        return SUFFIXES[suffix]
    if form.delimiter or form.columns:
        return "text"
    known = f"known types: {', '.join(SUFFIXES)}, and {', '.join(COMPRESSED)} of text"
    if suffix in _SHEETS:
        known = "save the sheet as 'CSV UTF-8'"
    raise UserError(f"{path}: unknown file type {path.suffix or '(no suffix)'}; {known}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
