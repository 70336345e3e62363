"""Read one sheet of an Excel workbook as the text cells that saving it as CSV would give."""

from __future__ import annotations

import datetime as dt
import warnings
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...fingerprint import digest, file_sha256, remembered
from ...formatting import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .text_files import TextFormat

SUFFIXES = (".xlsx", ".xlsm")
READER = 1
"""Version of what this module reads; part of cache keys."""
MAX_UNPACKED = 2**30
"""Largest size in bytes of a workbook's XML once it is unpacked."""
MAX_RATIO = 100
"""Largest ratio of the sizes of an unpacked and a packed part; sheets of rows reach about 20."""
_SMALL = 2**20
"""Size in bytes of an unpacked part from which its ratio matters."""
_MAX_ROWS = 2**20
"""Number of rows of the largest sheet that Excel writes."""
_SHOWN = 3
"""Number of cells or rows named in a message."""
_CSV = "save the sheet as 'CSV UTF-8'"


@dataclass(frozen=True)
class _Sheet:
    """What is read of a workbook."""

    title: str
    names: tuple[str, ...]
    """Names of the columns, from the first; empty for columns without a name."""
    begin: int
    """Number of the sheet's first row of cells, from 1."""


def is_workbook(name: str) -> bool:
    """Return whether a file is a workbook, by its name."""
    return name.lower().endswith(SUFFIXES)


def workbook_columns(path: Path, form: TextFormat) -> tuple[str, ...]:
    """Return the columns that have a name; the whole sheet is checked once, and the result is cached.

    Raises:
        UserError: the file is not a workbook, is too large, has several sheets and none is chosen, or has cells that
            cannot be read; up to three are named.
    """
    return tuple(name for name in _sheet(path, form).names if name)


def batches(path: Path, form: TextFormat, size: int) -> Iterator[dict[str, list[str]]]:
    """Yield up to `size` rows at a time: column → its cells, all of them texts."""
    sheet = _sheet(path, form)
    rows = (cells for _, cells in _rows(path, sheet))
    while part := list(islice(rows, size)):
        yield {name: [cells[place] for cells in part] for place, name in enumerate(sheet.names) if name}


def sheet_rows(path: Path, form: TextFormat) -> Iterator[int]:
    """Yield the number in the sheet of each row that is read, from 1; empty rows are not read."""
    yield from (number for number, _ in _rows(path, _sheet(path, form)))


def _rows(path: Path, sheet: _Sheet) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the texts of each row that is not empty."""
    wide = len(sheet.names)
    with _opened(path) as book:
        for number, cells in _numbered(book[sheet.title], sheet.begin):
            texts = [_text(cell.value) for cell in cells[:wide]]
            if any(texts):
                yield number, texts + [""] * (wide - len(texts))


def _sheet(path: Path, form: TextFormat) -> _Sheet:
    key = digest([READER, file_sha256(path), form.sheet, form.columns])

    def read() -> list[Any]:
        with _opened(path) as book:
            sheet = _chosen(path, book, form.sheet)
            found = _described(path, sheet, form.columns)
            with _opened(path, formulas=True) as formulas:
                _check(path, found, sheet, formulas[sheet.title])
        return [found.title, found.names, found.begin]

    title, names, begin = remembered("sheets", key, read)
    return _Sheet(title, tuple(names), begin)


@contextmanager
def _opened(path: Path, *, formulas: bool = False) -> Iterator[Any]:
    """Open a workbook to read its rows one after the other: their values, or their formulas.

    Raises:
        UserError: openpyxl is not installed, or the file is too large, damaged or no workbook.
    """
    try:
        import openpyxl
    except ImportError:
        raise UserError(f"{path}: reading workbooks needs openpyxl: pip install 'ftbench[excel]', or {_CSV}") from None
    try:
        _check_size(path)
        with path.open("rb") as stream:
            with warnings.catch_warnings():
                # It warns of formats and validations that it does not keep; no cell depends on them.
                warnings.simplefilter("ignore")
                book = openpyxl.load_workbook(stream, read_only=True, data_only=not formulas)
            yield book
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged part raises whatever its parser meets
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: cannot be read as an Excel workbook: {reason}; save it again, or {_CSV}") from None


def _check_size(path: Path) -> None:
    """Check the sizes that a workbook declares; no more than these are unpacked.

    Raises:
        UserError: it would unpack to too much.
    """
    with zipfile.ZipFile(path) as archive:
        parts = [part for part in archive.infolist() if part.filename.lower().endswith((".xml", ".rels"))]
    total = sum(part.file_size for part in parts)
    if total > MAX_UNPACKED:
        raise UserError(f"{path}: unpacks to {quantity(total, 'B')}; the most is {quantity(MAX_UNPACKED, 'B')}; {_CSV}")
    dense = [part for part in parts if part.file_size > max(_SMALL, MAX_RATIO * part.compress_size)]
    if dense:
        raise UserError(f"{path}: {dense[0].filename} unpacks to more than {MAX_RATIO} times its size; {_CSV}")


def _chosen(path: Path, book: Any, title: str) -> Any:
    """Return the sheet that is named, or the only visible one with cells.

    Raises:
        UserError: there is no such sheet, or the choice is open.
    """
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if title:
        if title not in sheets:
            raise UserError(f"{path}: has no sheet {title!r}; its sheets: {', '.join(sheets) or 'none'}")
        return sheets[title]
    filled = [sheet for sheet in sheets.values() if sheet.sheet_state == "visible" and _has_cells(sheet)]
    if not filled:
        raise UserError(f"{path}: is empty; the first row of its sheet must name the columns")
    if len(filled) > 1:
        shown = ", ".join(sheet.title for sheet in filled)
        raise UserError(f'{path}: has {len(filled)} sheets: {shown}; choose one: sheet = "{filled[0].title}"')
    return filled[0]


def _has_cells(sheet: Any) -> bool:
    return any(cell.value is not None for _, cells in _numbered(sheet) for cell in cells)


def _numbered(sheet: Any, begin: int = 1) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield the number and the cells of each row; the sizes that a sheet declares are often wrong.

    Raises:
        ValueError: it has more rows than a sheet can have.
    """
    sheet.reset_dimensions()
    rows = enumerate(sheet.iter_rows(min_row=begin), begin)
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = next(rows, None)
        if found is None:
            return
        if found[0] > _MAX_ROWS:
            raise ValueError(f"{sheet.title} has more than {_MAX_ROWS:,} rows")
        yield found


def _described(path: Path, sheet: Any, columns: Sequence[str]) -> _Sheet:
    """Return the columns of a sheet: those given, or the cells of its first row that is not empty.

    Raises:
        UserError: it is empty, or two columns have one name.
    """
    for number, cells in _numbered(sheet):
        names = [_text(cell.value).strip() for cell in cells]
        while names and not names[-1]:
            names.pop()
        if not names:
            continue
        if columns:
            return _Sheet(sheet.title, tuple(columns), number)
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise UserError(f"{path}: two columns are called {twice[0]!r}")
        return _Sheet(sheet.title, tuple(names), number + 1)
    raise UserError(f"{path}: is empty; the first row of its sheet must name the columns")


def _check(path: Path, found: _Sheet, values: Any, formulas: Any) -> None:
    """Check that every cell has a value and a column.

    Raises:
        UserError: a cell is an error of Excel or a formula without a stored value, or is beyond the columns.
    """
    problems: dict[str, list[str]] = {}
    begin = found.begin
    for (number, cells), (_, written) in zip(_numbered(values, begin), _numbered(formulas, begin), strict=True):
        for place, (cell, formula) in enumerate(zip(cells, written, strict=True)):
            problem = _problem(cell, formula, beyond=place >= len(found.names))
            if problem:
                problems.setdefault(problem, []).append(f"{_letters(place)}{number}")
    mistakes = []
    for problem, places in problems.items():
        more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        mistakes.append(f"{path}: {', '.join(places[:_SHOWN])}{more}: {problem}")
    if mistakes:
        raise UserError(*mistakes)


def _problem(cell: Any, formula: Any, *, beyond: bool) -> str:
    if cell.value is None:
        # The stored result may be an empty text, whose type is "str".
        lacks = formula.value is not None and cell.data_type != "str"
        return "a formula without a stored value; open the workbook in Excel and save it" if lacks else ""
    if cell.data_type == "e":
        return f"the error {cell.value}; correct the formula, or clear the cell"
    return "a cell in a column without a name; name all columns in the first row" if beyond else ""


def _letters(place: int) -> str:
    """Return the name of a column, from 0: A to Z, then AA."""
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(place + 1))


def _text(value: Any) -> str:
    """Return a cell as Excel writes it to CSV in the format "General"; dates in the order of ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        # Excel stores 17 digits and shows at most 15, so that 0.1 + 0.2 is 0.3.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    return str(value)
