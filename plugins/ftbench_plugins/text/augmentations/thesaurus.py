"""Read a file of synonyms."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from ftbench import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_SEPARATORS = {".tsv": "\t", ".csv": ","}


def read_thesaurus(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Read word → synonyms, in lower case: a line per word in TSV or CSV, the word first, or JSON lists by word.

    Raises:
        UserError: the file is missing, not UTF-8, empty or malformed.
    """
    suffix = path.suffix.lower()
    if suffix not in (*_SEPARATORS, ".json"):
        raise UserError(f"{path}: must end in .tsv, .csv or .json")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}") from None
    entries = (
        _json_entries(text, path) if suffix == ".json" else _line_entries(text.splitlines(), _SEPARATORS[suffix], path)
    )
    found: dict[str, tuple[str, ...]] = {}
    for word, synonyms in entries:
        key = word.lower()
        found[key] = tuple(
            dict.fromkeys([*found.get(key, ()), *(one for one in synonyms if one and one.lower() != key)])
        )
    if not any(found.values()):
        raise UserError(f"{path}: holds no word with a synonym")
    return {word: synonyms for word, synonyms in found.items() if synonyms}


def _line_entries(lines: Iterable[str], separator: str, path: Path) -> Iterator[tuple[str, list[str]]]:
    for number, cells in enumerate(csv.reader(lines, delimiter=separator), 1):
        word, *synonyms = [cell.strip() for cell in cells] or [""]
        if not word and not any(synonyms):
            continue
        if not word or not any(synonyms):
            mark = "tabs" if separator == "\t" else "commas"
            raise UserError(f"{path}: line {number}: needs a word and at least one synonym, with {mark} between")
        yield word, synonyms


def _json_entries(text: str, path: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        table = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not JSON: {error}") from None
    if not isinstance(table, dict) or not all(
        isinstance(v, list) and all(isinstance(s, str) for s in v) for v in table.values()
    ):
        raise UserError(
            f'{path}: must be a table of words and lists of synonyms, such as {{"big": ["large", "great"]}}'
        )
    yield from table.items()
