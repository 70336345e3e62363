"""Read CSV and TSV files: recognise how they are written, and refuse what would lose rows or cells."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...fingerprint import digest, file_sha256, remembered
from .text_files import content_suffix, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .text_files import TextFormat

READER = 2
"""Version of what this module recognises; part of cache keys."""
DELIMITERS = (",", "\t", ";", "|")
SHOWN = 3
"""Number of lines named in a message."""
_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True)
class Dialect:
    """How a file is written."""

    delimiter: str
    quoted: bool
    """Whether cells may be in double quotes."""
    escaped: bool
    """Whether a quote within quotes is written with a backslash instead of twice."""
    encoding: str
    names: tuple[str, ...]
    """Names of the columns; empty for columns without a name, such as an index that pandas wrote."""
    skipped: int
    """Number of records before the first row."""
    spaced: bool = False
    """Whether spaces after a delimiter belong to no cell, so that a quote after them opens one."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that have a name."""
        return tuple(name for name in self.names if name)


@dataclass
class _Survey:
    """What reading a whole file in one dialect shows."""

    malformed: str = ""
    """The first quote that is misplaced in this dialect; empty if there is none."""
    uneven: int = 0
    """Number of rows with more or fewer cells than there are columns."""
    examples: tuple[str, ...] = ()
    """The first of them."""
    swallowed: str = ""
    """The first cell of several lines that look like rows of their own."""
    wrapped: bool = False
    """Whether a cell begins and ends with a quote; not known if quotes are read as such."""
    backslashes: bool = False
    """Whether a quote follows a backslash somewhere."""

    @property
    def readable(self) -> bool:
        """Whether every row has a cell for each column."""
        return not self.malformed and not self.uneven


def dialect_of(path: Path, form: TextFormat) -> Dialect:
    """Return how a file is written; the result is cached.

    Raises:
        UserError: the file is missing or empty, or no dialect reads every row; the lines are named.
    """
    key = digest([READER, file_sha256(path), content_suffix(path), asdict(form)])
    found = remembered("dialects", key, lambda: asdict(_recognised(path, form)))
    return Dialect(**{**found, "names": tuple(found["names"])})


def batches(path: Path, form: TextFormat, size: int) -> Iterator[dict[str, list[str]]]:
    """Yield up to `size` rows at a time: column → its cells, all of them texts."""
    dialect = dialect_of(path, form)
    kept = [(place, name) for place, name in enumerate(dialect.names) if name]
    with opened(path, dialect.encoding) as stream:
        rows = (row for row in _records(stream, dialect) if row)
        for _ in range(dialect.skipped):
            next(rows, None)
        part: list[list[str]] = []
        for row in rows:
            part.append(row)
            if len(part) == size:
                yield {name: [cells[place] for cells in part] for place, name in kept}
                part = []
    if part:
        yield {name: [cells[place] for cells in part] for place, name in kept}


def row_lines(path: Path, form: TextFormat) -> Iterator[int]:
    """Yield the line where each row begins, from 1."""
    dialect = dialect_of(path, form)
    with opened(path, dialect.encoding) as stream:
        records = _records(stream, dialect)
        begin, seen = 1, 0
        for row in records:
            seen += bool(row)
            if row and seen > dialect.skipped:
                yield begin
            begin = records.line_num + 1


def _records(lines: Any, dialect: Dialect) -> Any:
    csv.field_size_limit(_LONGEST_CELL)
    return csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
        doublequote=not dialect.escaped,
        escapechar="\\" if dialect.escaped else None,
        skipinitialspace=dialect.spaced,
        strict=dialect.quoted,
    )


def _recognised(path: Path, form: TextFormat) -> Dialect:
    """Choose the dialect: quotes as they are usual, with backslashes, or as characters of unquoted cells."""
    usual = _beginning(path, form)
    plain, escaped = replace(usual, quoted=False, spaced=False), replace(usual, escaped=True)
    if form.quoted is False:
        found = _survey(path, plain)
        if found.readable:
            return plain
        raise UserError(f"{path}: {_described(found)}")
    found = _survey(path, usual)
    if found.readable and (form.quoted or not found.swallowed):
        return usual
    if not found.readable and found.backslashes and _survey(path, escaped).readable:
        return escaped
    if form.quoted is None:
        unquoted = _survey(path, plain)
        # The format of tab-separated values has no quotes; cells of other formats may well have several lines.
        if unquoted.readable and (found.malformed or (plain.delimiter == "\t" and not unquoted.wrapped)):
            return plain
        if found.readable and not unquoted.readable:
            return usual
    raise UserError(f"{path}: {_described(found)}")


def _described(found: _Survey) -> str:
    if found.malformed:
        return f"{found.malformed}; if cells are never quoted, set quoted = false"
    if found.uneven:
        return f"{'; '.join(found.examples)}{f' (of {found.uneven:,} such rows)' if found.uneven > SHOWN else ''}"
    return f"{found.swallowed}; set quoted = false if cells are never quoted, or quoted = true if it is one cell"


def _beginning(path: Path, form: TextFormat) -> Dialect:
    """Recognise the delimiter and the columns from the first line.

    Raises:
        UserError: the file is empty, or two columns have one name.
    """
    usual = "," if content_suffix(path) == ".csv" else "\t"
    with opened(path, form.encoding) as stream:
        encoding = form.encoding or stream.encoding
        lines = (line for line in stream if line.strip("\r\n"))
        first = next(lines, "")
        hint = first.strip().removeprefix("sep=") if first.startswith("sep=") else ""
        skipped = int(bool(hint))
        given = form.delimiter or hint
        first = next(lines, "") if hint else first
        # A name may span lines, but not so many.
        head = [first, *(line for _, line in zip(range(20), lines, strict=False))]
    if not first.strip():
        raise UserError(f"{path}: is empty; the first line must name the columns")
    trials = [
        Dialect(one, form.quoted is not False, False, encoding, (), skipped)
        for one in ([given] if given else dict.fromkeys((usual, *DELIMITERS)))
    ]
    found = [(_first_record(head, trial), trial) for trial in trials]
    # Another delimiter than the usual one is taken only if the usual one does not occur.
    names, dialect = found[0] if len(found[0][0]) > 1 else max(found, key=lambda one: len(one[0]))
    names = names or _first_record(head, replace(dialect, quoted=False))
    spaced = dialect.quoted and any(f'{dialect.delimiter} "' in line for line in head)
    dialect = replace(dialect, spaced=spaced and dialect.delimiter != " ")
    if form.columns:
        return replace(dialect, names=form.columns)
    names = [name.strip() for name in names]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise UserError(f"{path}: two columns are called {twice[0]!r}")
    return replace(dialect, names=tuple(names), skipped=skipped + 1)


def _first_record(head: list[str], dialect: Dialect) -> list[str]:
    """Return the cells of the first record; none if its quotes do not fit the dialect."""
    try:
        return next(_records(iter(head), dialect), [])
    except csv.Error:
        return []


class _Lines:
    """Lines of a file, with those taken since the last call of `take`."""

    def __init__(self, stream: Any, dialect: Dialect) -> None:
        self._stream, self._taken = stream, []  # type: ignore[var-annotated]
        self.backslashes = False
        self._looking = dialect.quoted

    def __iter__(self) -> Iterator[str]:
        for line in self._stream:
            self._taken.append(line)
            if self._looking and '\\"' in line:
                self.backslashes = True
            yield line

    def take(self) -> list[str]:
        """Return the lines taken since the last call."""
        found, self._taken = self._taken, []
        return found


def _survey(path: Path, dialect: Dialect) -> _Survey:
    """Read a whole file in a dialect."""
    wide = len(dialect.names)
    found = _Survey()
    with opened(path, dialect.encoding) as stream:
        lines = _Lines(stream, dialect)
        records = _records(lines, dialect)
        number = 0
        try:
            for row in records:
                taken = lines.take()
                if not row:
                    continue
                number += 1
                if number <= dialect.skipped:
                    continue
                if len(row) != wide and (len(row) < wide or any(row[wide:])):
                    found.uneven += 1
                    place = records.line_num - len(taken) + 1
                    found.examples = (*found.examples, _uneven(place, row, wide))[:SHOWN]
                if len(taken) > 1 and wide > 1 and not found.swallowed:
                    found.swallowed = _swallowed(taken, dialect.delimiter, wide, records.line_num)
                found.wrapped = found.wrapped or (
                    not dialect.quoted and any(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in row)
                )
        except csv.Error as error:
            begin = records.line_num - len(lines.take()) + 1
            found.malformed = _malformed(str(error), begin, records.line_num)
        found.backslashes = lines.backslashes
    return found


def _uneven(line: int, row: list[str], wide: int) -> str:
    cells = f"{len(row)} cell{'' if len(row) == 1 else 's'}"
    return f"line {line} has {cells} instead of {wide}"


def _swallowed(lines: list[str], delimiter: str, wide: int, last: int) -> str:
    """Describe a record of several lines if each of them has as many delimiters as a row."""
    if any(line.count(delimiter) != wide - 1 for line in lines):
        return ""
    return f"lines {last - len(lines) + 1} to {last} are one quoted cell, and each looks like a row"


def _malformed(error: str, begin: int, line: int) -> str:
    if "unexpected end" in error:
        return f"line {begin}: a quote opens a cell that is never closed"
    where = f"line {line}" if begin == line else f"lines {begin} to {line}"
    return f"{where}: a quote closes a cell, and the cell goes on"
