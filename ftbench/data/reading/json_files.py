"""Read rows from JSON: lines of objects, or one document in a shape that common tools write."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...fingerprint import digest, file_sha256, remembered
from .text_files import content_suffix, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .text_files import TextFormat

READER = 1
"""Version of what this module reads; part of cache keys."""
LINES = (".jsonl", ".ndjson")
"""Suffixes of files with one row per line."""
Row = dict[str, Any]


def json_columns(path: Path, form: TextFormat) -> tuple[str, ...]:
    """Return the columns of all rows, in the order in which they first occur; the result is cached.

    Raises:
        UserError: the file is empty, is not JSON, or has no rows of named cells.
    """

    def read() -> list[str]:
        known: dict[str, None] = {}
        for row in json_rows(path, form):
            if row.keys() - known.keys():
                known |= dict.fromkeys(row)
        return list(known)

    key = digest([READER, file_sha256(path), content_suffix(path), form.encoding, form.columns])
    found = tuple(remembered("columns", key, read))
    if not found:
        raise UserError(f"{path}: is empty; it must have JSON objects")
    return found


def json_rows(path: Path, form: TextFormat) -> Iterator[Row]:
    """Yield the rows of a file; empty lines are skipped.

    Raises:
        UserError: the file is not JSON, or has no rows of named cells; the message has the line.
    """
    with opened(path, form.encoding) as stream:
        lines = ((number, line) for number, line in enumerate(stream, 1) if line.strip())
        number, first = next(lines, (0, ""))
        if not first:
            return
        following = next(lines, None)
        begin = _parsed(first)
        in_lines = content_suffix(path) in LINES
        if isinstance(begin, dict | list) and (following or in_lines) and not _is_document(begin, following):
            for place, line in chain([(number, first)], [following] if following else [], lines):
                yield _row(path, place, line, form.columns)
            return
        rest = chain([following] if following else [], lines)
        document = _document(path, [(number, first), *rest], in_lines=in_lines)
    yield from _rows(path, document, form.columns)


def row_lines(path: Path, form: TextFormat) -> Iterator[int]:
    """Yield the number of each line of a file of JSON lines that is a row, from 1."""
    with opened(path, form.encoding) as stream:
        yield from (number for number, line in enumerate(stream, 1) if line.strip())


def _is_document(begin: Any, following: Any) -> bool:
    """Return whether a first line is a whole document: a list of objects without a second line."""
    return following is None and isinstance(begin, list) and bool(begin) and isinstance(begin[0], dict | list)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _row(path: Path, number: int, line: str, columns: Sequence[str]) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: line {number} is not JSON: {error}") from None
    return _named(f"{path}: line {number}", found, columns)


def _document(path: Path, lines: Sequence[tuple[int, str]], *, in_lines: bool) -> Any:
    try:
        return json.loads("".join(line for _, line in lines))
    except (ValueError, RecursionError) as error:
        broken = next(((number, line) for number, line in lines if _parsed(line) is None), None)
        if in_lines and broken:
            _row(path, *broken, ())
        raise UserError(f"{path}: not JSON: {error}") from None


def _named(place: str, found: Any, columns: Sequence[str]) -> Row:
    """Return a row of named cells.

    Raises:
        UserError: it is neither an object, nor a list for which `columns` gives the names.
    """
    if isinstance(found, dict):
        return found
    if isinstance(found, list) and columns:
        if len(found) != len(columns):
            raise UserError(f"{place}: has {len(found)} cells instead of {len(columns)}")
        return dict(zip(columns, found, strict=True))
    if isinstance(found, list):
        raise UserError(f"{place}: is a list; name its cells: columns = [...]")
    raise UserError(f"{place}: must be a JSON object, not {json.dumps(found)[:40]}")


def _rows(path: Path, document: Any, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a document: a list of rows, or an object in one of several shapes."""
    if isinstance(document, dict):
        yield from _rows_of_object(path, document)
        return
    if not isinstance(document, list):
        raise UserError(f"{path}: must be a list of JSON objects, not {json.dumps(document)[:40]}")
    for number, one in enumerate(document, 1):
        yield _named(f"{path}: item {number}", one, columns)


def _rows_of_object(path: Path, found: Row) -> Iterator[Row]:
    """Yield the rows of an object.

    It may have a list of rows, such as `{"data": [{...}]}`; a list of cells for each column; or what
    `DataFrame.to_json` of pandas writes for its `orient` split, columns, index and table.

    Raises:
        UserError: it has several lists of rows, or columns of unequal length.
    """
    if isinstance(found.get("columns"), list) and isinstance(found.get("data"), list):
        yield from _rows(path, found["data"], found["columns"])
        return
    lists = [name for name, value in found.items() if _is_table(value)]
    if len(lists) > 1:
        raise UserError(f"{path}: has several lists of rows: {', '.join(lists)}; save each in a file of its own")
    if lists:
        yield from found[lists[0]]
    elif found and all(isinstance(value, dict) for value in found.values()):
        yield from _rows_of_objects(found)
    elif found and all(isinstance(value, list) for value in found.values()):
        lengths = {name: len(value) for name, value in found.items()}
        if len(set(lengths.values())) > 1:
            raise UserError(f"{path}: columns of unequal length: {', '.join(f'{n} {c}' for n, c in lengths.items())}")
        for cells in zip(*found.values(), strict=True):
            yield dict(zip(found, cells, strict=True))
    else:
        yield found


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _rows_of_objects(found: dict[str, Row]) -> Iterator[Row]:
    """Yield the rows of an object of objects: rows by name, or columns whose cells have the rows' names."""
    inner = dict.fromkeys(name for value in found.values() for name in value)
    numbered = [all(name.lstrip("-").isdecimal() for name in names) for names in (found, inner)]
    # pandas numbers rows; otherwise there are more rows than columns.
    by_column = numbered[1] if numbered[0] != numbered[1] else len(inner) > len(found)
    if by_column:
        for name in inner:
            yield {column: cells.get(name) for column, cells in found.items()}
    else:
        yield from found.values()
