"""Read questions and answers in the forms of SQuAD: nested files, and cells of one or several answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ftbench.tasks import ListedTable

from .written_lists import written_list, written_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ftbench.tasks import Table

COLUMNS = ("id", "title", "context", "question", "answers")
"""Columns of a nested file, one row per question."""
NESTED = ("paragraphs", "qas")
"""Columns whose cells hold the questions of a nested file."""
_CHUNK = 1_000


def is_nested(columns: Sequence[str]) -> bool:
    """Return whether a table has articles or paragraphs as rows, with their questions in a cell."""
    return any(name in columns for name in NESTED)


def flattened(table: Table) -> ListedTable:
    """Return a row for each question of a nested file."""
    rows: list[dict[str, Any]] = []
    for begin in range(0, len(table), _CHUNK):
        for row in table.rows(range(begin, min(begin + _CHUNK, len(table))), table.columns):
            for paragraph in row.get("paragraphs") or [row]:
                rows += _questions(row, paragraph)
    return ListedTable(table.name, {name: [row[name] for row in rows] for name in COLUMNS})


def _questions(article: Mapping[str, Any], paragraph: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for asked in paragraph.get("qas") or ():
        yield {
            "id": asked.get("id"),
            "title": article.get("title"),
            "context": paragraph.get("context"),
            "question": asked.get("question"),
            "answers": [] if asked.get("is_impossible") else asked.get("answers") or [],
        }


def answer_cell(cell: Any) -> Any:
    """Return a cell of answers in one of three forms: `text` and `answer_start`, both lists; a list of texts; a text.

    A list of answers with a start each, one such answer, and each of these written as text, get these forms.
    """
    if isinstance(cell, str):
        cell = _read(cell)
    if isinstance(cell, dict) and "text" in cell:
        text, start = cell["text"], cell.get("answer_start")
        if start is None or start == [] != text:
            return _listed(text)
        return {"text": _listed(text), "answer_start": _listed(start)}
    if isinstance(cell, list) and cell and all(isinstance(one, dict) and "text" in one for one in cell):
        starts = [one.get("answer_start") for one in cell]
        texts = [one["text"] for one in cell]
        return texts if None in starts else {"text": texts, "answer_start": starts}
    return cell


def _read(text: str) -> Any:
    """Return what a text is: an object, a list of objects or of texts, or an answer."""
    found = written_object(text)
    if found is not None:
        return found
    items = written_list(text)
    return items if items is not None and all(isinstance(one, str) for one in items) else text


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
