"""Read lists that are written as text: as JSON, Python or NumPy write them."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_PAIRS = {"[": "]", "(": ")", "{": "}"}
_ITEM = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,'"\[\](){}:]+)\s*(,?)""")
_NUMBERS = {"true": True, "True": True, "false": False, "False": False}
_NONE = ("null", "None", "nan", "NaN")


def written_list(text: str) -> list[Any] | None:
    """Return the items of a flat list that is written as text; None if the text is none.

    Items are texts, numbers, truth values or None. `['a', 'b']`, `["a", "b"]`, `('a', 'b')`, `{'a', 'b'}`, `[a, b]` and
    NumPy's `['a' 'b']` and `[1. 0.]` are lists.
    """
    text = text.strip()
    if len(text) < 2 or _PAIRS.get(text[0]) != text[-1]:
        return None
    inner = text[1:-1]
    items, commas = [], []
    place = 0
    while place < len(inner) and inner[place:].strip():
        found = _ITEM.match(inner, place)
        if found is None:
            return None
        items.append(found[1])
        commas.append(bool(found[2]))
        place = found.end()
    between = commas[:-1]
    if len(set(between)) > 1:
        return None
    bare = [item for item in items if item[0] not in "'\"" and _number(item) is None and item not in _NONE]
    # Words in brackets without commas are a sentence.
    if bare and len(items) > 1 and not any(between):
        return None
    return [_value(item) for item in items]


def _value(item: str) -> Any:
    if item[0] in "'\"":
        try:
            return json.loads(item) if item[0] == '"' else ast.literal_eval(item)
        except (ValueError, SyntaxError):
            return item[1:-1]
    if item in _NONE:
        return None
    number = _number(item)
    return item if number is None else number


def _number(item: str) -> float | bool | None:
    if item in _NUMBERS:
        return _NUMBERS[item]
    try:
        return int(item)
    except ValueError:
        pass
    try:
        return float(item)
    except ValueError:
        return None


_ARRAY = re.compile(r"array\(([\[\]][^()]*?)(?:,\s*dtype=[\w'<>.]+)?\)", re.DOTALL)


def written_object(text: str) -> Any:
    """Return the object, or the list of objects, that is written as text; None if the text is neither.

    JSON and Python are read, also with the arrays that pandas writes into CSV files.
    """
    text = text.strip()
    if len(text) < 2 or text[0] not in "{[" or "{" not in text[:2]:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(_ARRAY.sub(r"\1", text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
