"""Recognise how the cells of a column hold several classes: as lists, as lists of 0 and 1, or as separated names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ftbench import UserError
from ftbench.tasks import as_text

from .written_lists import written_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LABEL_FORMS = 1
"""Version of what is recognised; part of cache keys."""
SURE = (";", "|", "\t", "\n")
"""Separators that names of classes do not contain."""
LIKELY = ","
RARE = (" ", "/", "+", "&", "-")
"""Separators that names often contain: they are named, not assumed."""
_VECTOR = re.compile(r"[01](?:\.0*)?(?:[\s,;|]+[01](?:\.0*)?)+")


@dataclass(frozen=True)
class LabelForm:
    """How cells hold classes."""

    separator: str = ""
    """Separator of names in a text; empty if texts are whole names."""
    vector: int = 0
    """Length of lists with 1 for each class that applies and 0 for the others; 0 if lists are names."""

    def names(self, cell: Any, labels: Sequence[str]) -> list[str]:
        """Return the names of the classes in a cell.

        Args:
            cell: a list, or a text.
            labels: names of the classes, for lists of 0 and 1; their numbers from 0 if it is empty.

        Raises:
            UserError: the cell is of another form.
        """
        if isinstance(cell, str) and cell in labels:
            return [cell]
        items = _items(cell)
        if self.vector:
            return self._of_vector(_numbers(cell) if items is None else items, labels, cell)
        if items is not None:
            return [name for name in map(as_text, items) if name]
        return pieces(as_text(cell), self.separator)

    def _of_vector(self, items: Sequence[Any], labels: Sequence[str], cell: Any) -> list[str]:
        if not items:
            return []
        if len(items) != self.vector or any(one not in (0, 1) for one in items):
            raise UserError(f"{as_text(cell)[:60]!r} is no list of {self.vector} numbers 0 or 1")
        known = labels or [str(place) for place in range(self.vector)]
        return [name for name, one in zip(known, items, strict=True) if one]


@dataclass
class _Seen:
    """What the cells of a column are."""

    texts: Counter[str] = field(default_factory=Counter)
    """Texts that are no lists."""
    lengths: set[int] = field(default_factory=set)
    """Lengths of lists that are not empty."""
    words: bool = False
    """Whether an item of a list is a text."""
    numbers: set[float] = field(default_factory=set)
    """Numbers in lists; at most a few thousand."""


def recognised(cells: Iterable[Any], separator: str, labels: Sequence[str]) -> LabelForm:
    """Return the form of the cells of a column.

    Args:
        cells: all cells; empty ones have no class.
        separator: separator of names given by the user; empty to recognise it.
        labels: names of the classes given by the user; empty for those in the data.

    Raises:
        UserError: the form is doubtful; the message names the option that decides.
    """
    seen = _seen(cells, labels)
    fraction = next((number for number in seen.numbers if not number.is_integer()), None)
    if fraction is not None:
        raise UserError(f"lists hold {fraction}: neither names of classes, nor 1 and 0 for each class")
    vector = _vector(seen)
    if vector:
        if labels and len(labels) != vector:
            raise UserError(f"labels: {len(labels)} names for lists of {vector} numbers")
        return LabelForm(vector=vector)
    return LabelForm(_separator(seen.texts, separator))


def _seen(cells: Iterable[Any], labels: Sequence[str]) -> _Seen:
    found = _Seen()
    for cell in cells:
        if isinstance(cell, dict):
            raise UserError(f"holds the object {str(cell)[:60]}; write a list, or names with a separator")
        items = _items(cell)
        if items is None:
            text = as_text(cell)
            if text and text not in labels:
                found.texts[text] += 1
        elif items:
            found.lengths.add(len(items))
            numbers = [one for one in items if isinstance(one, int | float)]
            found.words = found.words or len(numbers) < len(items)
            found.numbers.update(map(float, numbers[:1000]))
    return found


def _items(cell: Any) -> list[Any] | None:
    """Return the items of a list, also of one written as text; None for other cells."""
    if isinstance(cell, list | tuple):
        return list(cell)
    return written_list(cell) if isinstance(cell, str) else None


def _vector(seen: _Seen) -> int:
    """Return the length of lists of 0 and 1; 0 if cells are something else."""
    if seen.lengths and not seen.texts:
        lengths, binary = seen.lengths, not seen.words and seen.numbers <= {0.0, 1.0}
    else:
        lengths = {len(_numbers(text)) for text in seen.texts}
        binary = not seen.lengths and all(_VECTOR.fullmatch(text) for text in seen.texts)
    return max(lengths) if binary and len(lengths) == 1 and max(lengths) > 1 else 0


def _numbers(cell: Any) -> list[float]:
    """Return the numbers 0 and 1 of a text; other parts are -1."""
    parts = [part for part in re.split(r"[\s,;|]+", as_text(cell)) if part]
    return [float(part) if re.fullmatch(r"[01](?:\.0*)?", part) else -1.0 for part in parts]


def pieces(text: str, separator: str) -> list[str]:
    """Return the parts of a text; the whole text without a separator."""
    parts = text.split(separator) if separator else [text]
    return [part for part in (one.strip() for one in parts) if part]


def _separator(texts: Counter[str], given: str) -> str:
    """Return the separator of texts.

    Raises:
        UserError: it is doubtful.
    """
    found = next((one for one in SURE if any(one in text for text in texts)), "")
    if not found and _recombine(texts, LIKELY):
        found = LIKELY
    if given:
        if found and found != given and not any(given in text for text in texts):
            raise UserError(f"separator: no cell has {given!r}; the names look separated by {found!r}")
        return given
    joined = next((text for text in texts if LIKELY in text), "")
    if joined and not found:
        raise UserError(
            f"separator: is {joined[:60]!r} one class, or several? "
            'Set separator = "," if these are several, and otherwise name the classes: labels = [...]'
        )
    names = {name for text in texts for name in pieces(text, found)}
    for other in (LIKELY, *RARE):
        composed = [name for name in names if len(pieces(name, other)) > 1]
        if composed and other != found and all(part in names for name in composed for part in pieces(name, other)):
            raise UserError(
                f"separator: {composed[0][:60]!r} looks like several of the other classes: "
                f'set separator = "{other}" if it is, and otherwise name the classes: labels = [...]'
            )
    return found


def _recombine(texts: Counter[str], separator: str) -> bool:
    """Return whether a part of a separated text is also in another text."""
    parts = Counter(part for text in texts for part in set(pieces(text, separator)))
    return any(parts[part] > 1 for text in texts if separator in text for part in pieces(text, separator))
