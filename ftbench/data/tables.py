"""A user's data as a table: rows of named cells, read when they are needed and memory-mapped where they lie.

Files are CSV, TSV, JSON lines and Parquet, or what `datasets` wrote with `save_to_disk`; folders of images or sounds are
tables of their paths.
"""

from __future__ import annotations

import csv
import json
import os
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..fingerprint import cache_folder, digest, file_sha256, remembered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".ndjson": "json", ".json": "json", ".parquet": "parquet"}
"""Ending of a file → the reader of `datasets` that reads it."""
CHUNK = 10_000


class Table(ABC):
    """Rows of a data set."""

    name: str
    """What its rows are called after."""
    columns: tuple[str, ...]
    """Names of the cells of a row."""

    @abstractmethod
    def __len__(self) -> int:
        """Count the rows."""

    @abstractmethod
    def rows(self, numbers: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Give the cells of some rows, in the order asked for."""

    def names(self, column: str) -> tuple[str, ...]:
        """Give the names of a column's numbers, or of the numbers in its lists; none where it holds no numbered names."""
        del column
        return ()

    def codes(self, column: str) -> tuple[NDArray[np.int64], list[str]]:
        """Give each row's cell as a number, shape [rows], and what the numbers stand for, in order of first appearance.

        An empty cell is -1.
        """
        known: dict[str, int] = {}
        numbered = [self._numbered(places, distinct, known) for places, distinct in self._distinct(column)]
        return np.concatenate(numbered) if numbered else np.zeros(0, np.int64), list(known)

    @staticmethod
    def _numbered(places: NDArray[np.int64], distinct: Sequence[Any], known: dict[str, int]) -> NDArray[np.int64]:
        texts = [as_text(cell) for cell in distinct]
        numbers = [known.setdefault(text, len(known)) if text else -1 for text in texts]
        return np.array([*numbers, -1])[places]

    def _distinct(self, column: str) -> Iterator[tuple[NDArray[np.int64], Sequence[Any]]]:
        """Yield part after part of a column, as places in a list of distinct cells; an absent cell is at -1."""
        for begin in range(0, len(self), CHUNK):
            cells = [row[column] for row in self.rows(range(begin, min(begin + CHUNK, len(self))), [column])]
            yield np.arange(len(cells)), cells


def as_text(cell: Any) -> str:
    """Give a cell as text: nothing for an empty one, whole numbers without a fraction."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


@dataclass
class StoredTable(Table):
    """A table that `datasets` keeps in Arrow files: rows are read from disk as they are asked for."""

    name: str
    data: Any
    """The `datasets.Dataset`."""

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # asked of the data
        """Names of the cells of a row."""
        return tuple(self.data.column_names)

    def __len__(self) -> int:
        return len(self.data)

    def names(self, column: str) -> tuple[str, ...]:
        """Give the names of a `datasets` class label, which is kept as a number."""
        feature = self.data.features.get(column)
        return tuple(getattr(getattr(feature, "feature", feature), "names", None) or ())

    def _distinct(self, column: str) -> Iterator[tuple[NDArray[np.int64], Sequence[Any]]]:
        import pyarrow as pa

        for batch in self.data.select_columns([column]).with_format("arrow").iter(batch_size=CHUNK):
            try:
                coded = batch[column].combine_chunks().dictionary_encode()
            except pa.ArrowNotImplementedError:  # lists, tables, or both in one column
                yield from super()._distinct(column)
                return
            yield coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), coded.dictionary.to_pylist()

    def rows(self, numbers: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Give the cells of some rows; sounds and images undecoded."""
        part = self.data.select_columns(list(columns))[list(numbers)]
        return [{name: part[name][place] for name in columns} for place in range(len(numbers))]


@dataclass
class ListedTable(Table):
    """A table of few columns that is held in memory, such as the files of a folder."""

    name: str
    cells: Mapping[str, Sequence[Any]]
    """Column → its cells."""

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # asked of the cells
        """Names of the cells of a row."""
        return tuple(self.cells)

    def __len__(self) -> int:
        return len(next(iter(self.cells.values()), ()))

    def rows(self, numbers: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Give the cells of some rows."""
        return [{name: self.cells[name][number] for name in columns} for number in numbers]


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
