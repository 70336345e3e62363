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

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ftbench.tasks import Severity


@dataclass
class OwnTexts(Inspectable):
    """A task on the texts of a table."""

    modality: ClassVar[str] = "text"
    unit: ClassVar[str] = "tokens"

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        "input empty": ("warning", "there is nothing to learn from: remove these rows")
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
        rows = [self.texts(row) for row in inputs]
        longest = self.longest(processor)
        # One token more than is kept shows which texts would be cut, at no extra cost.
        joined = [" ".join(row) for row in rows]
        lengths = [len(ids) for ids in processor(joined, truncation=True, max_length=longest + 1)["input_ids"]]
        return [
            Inspected(
                _digest(row),
                (_digest(map(_plain, row)),),
                problems=() if any(row) else ("input empty",),
                cut_off=length > longest,
            )
            for row, length in zip(rows, lengths, strict=True)
        ]


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
