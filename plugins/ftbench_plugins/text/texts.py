"""Shared base of tasks on user-provided texts: cutting and comparing them."""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge
from ftbench import UserError
from ftbench.tasks import Inspectable, Inspected, as_text

from .written_lists import written_list, written_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ftbench.tasks import Severity


NO_TEXT, WRITTEN = "input is no text", "input is a list or an object written as text"
_LIST_OR_OBJECT = re.compile(r"""\[\s*['"{\[].*\]$|\{\s*['"].*\}$""", re.DOTALL)
_LONGEST_WRITTEN = 20_000
"""Most letters of a text that is parsed as a list or an object."""


@dataclass
class OwnTexts(Inspectable):
    """A task on the texts of a table."""

    modality: ClassVar[str] = "text"
    unit: ClassVar[str] = "tokens"

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        "input empty": ("warning", "there is nothing to learn from: remove these rows"),
        NO_TEXT: ("error", "training will stop at it: write each input as one text"),
        WRITTEN: ("warning", "its brackets and quotes are read as words: write the text itself"),
    }

    max_length: Annotated[int, Ge(2)] = 128
    """Longest encoded text, in tokens; longer texts are cut at the end."""

    @abstractmethod
    def texts(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the texts of a row in reading order."""

    def longest(self, processor: Any) -> int:
        """Return the maximum tokens of a text: `max_length`, limited by what the tokenizer's network accepts."""
        return min(self.max_length, int(processor.model_max_length))

    def inspect(self, inputs: Sequence[Mapping[str, Any]], processor: Any) -> list[Inspected]:
        """Count tokens; compute digests of texts as they are, and without case, punctuation, links and user names."""
        unreadable = [self._is_no_text(row) for row in inputs]
        rows = [("",) if lost else self.texts(row) for row, lost in zip(inputs, unreadable, strict=True)]
        longest = self.longest(processor)
        # One token more than is kept shows which texts would be cut, at no extra cost.
        joined = [" ".join(row) for row in rows]
        lengths = [len(ids) for ids in processor(joined, truncation=True, max_length=longest + 1)["input_ids"]]
        return [
            Inspected(_digest(row), (_digest(map(_plain, row)),), cut_off=length > longest)
            if any(row)
            else Inspected("", (), problems=(NO_TEXT,) if lost else ("input empty",))
            for row, length, lost in zip(rows, lengths, unreadable, strict=True)
        ]

    def _is_no_text(self, row: Mapping[str, Any]) -> bool:
        return any(isinstance(row[name], list | tuple | dict | bytes) for name in self.text_columns())

    def row_problems(self, key: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the inputs that are written as lists or objects."""
        del key
        for name in self.text_columns():
            if isinstance(row[name], str) and is_written_value(row[name]):
                yield WRITTEN, row[name][:60]

    def text_columns(self) -> tuple[str, ...]:
        """Return the columns whose cells must be texts: by default all inputs."""
        return self.inputs()


def with_offsets(processor: Any, *texts: Any, **options: Any) -> Any:
    """Tokenize with the character offsets of each token.

    Raises:
        UserError: the tokenizer does not support offsets.
    """
    if not processor.is_fast:
        raise UserError(
            f"the tokenizer {type(processor).__name__} cannot say where its tokens lie: "
            "a fast one (tokenizer.json) is needed"
        )
    return processor(*texts, return_offsets_mapping=True, **options)


def plain_text(cell: Any) -> str:
    """Return a cell that must be a text.

    Raises:
        UserError: it is a list or an object, such as the messages of a chat.
    """
    if isinstance(cell, list | tuple | dict | bytes):
        raise UserError(f"an input is no text but {type(cell).__name__}: {repr(cell)[:60]}; write it as one text")
    return as_text(cell)


def is_written_value(text: str) -> bool:
    """Return whether a text is a list or an object as Python or JSON writes it, such as `[{'role': 'user', ...}]`."""
    found = text.strip()
    if not _LIST_OR_OBJECT.match(found) or len(found) > _LONGEST_WRITTEN:
        return False
    return written_object(found) is not None or written_list(found) is not None


def as_list(cell: Any, separator: str | None = None) -> list[str]:
    """Convert a cell to a list of texts: lists are kept, a text is split at `separator`, by default at spaces."""
    if isinstance(cell, list | tuple):
        return [as_text(one) for one in cell]
    if separator is None:
        # Words may have other spaces inside, such as a no-break space.
        return [part for part in re.split(r"[ \t\r\n]+", as_text(cell)) if part]
    return [part for part in (piece.strip() for piece in as_text(cell).split(separator)) if part]


def _plain(text: str) -> str:
    """Remove minor differences: case, punctuation, spaces, links and user names."""
    without = re.sub(r"https?://\S+|@\w+", " ", text.casefold())
    return " ".join(re.findall(r"\w+", without))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
