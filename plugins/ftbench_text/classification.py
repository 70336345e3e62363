"""Classification of a user's own texts, or pairs of texts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from ftbench import Augmentable, Encoded, Inspectable, Inspected, OwnClassification, Ragged, as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ftbench import Example, Severity


@dataclass
class TextClassification(Augmentable, OwnClassification, Inspectable):
    """Which class is a text of? Your own texts, from a table."""

    modality: ClassVar[str] = "text"
    unit: ClassVar[str] = "tokens"

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {"input empty": ("warning", "there is nothing to learn from: remove these rows")}

    text: str = "text"
    """Column of the text."""
    pair: str = ""
    """Column of a second text that is read along, as in entailment; none by default."""
    max_length: Annotated[int, Ge(2)] = 128
    """Longest encoded text, in tokens; what is longer is cut off at its end."""

    def inputs(self) -> tuple[str, ...]:
        """One text, or two."""
        return (self.text, self.pair) if self.pair else (self.text,)

    def raw_inputs(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> list[tuple[str, ...]]:
        """Read the text, or the two."""
        return [tuple(as_text(row[name]) for name in self.inputs()) for row in self.cells(examples)]

    def encode_inputs(self, inputs: Sequence[tuple[str, ...]], examples: Sequence[Example[tuple[str, int]]], processor: Any) -> Encoded:
        """Tokenize; a text's tokens, the special ones included, are its units."""
        texts = [[value[place] for value in inputs] for place in range(len(self.inputs()))]
        longest = min(self.max_length, processor.model_max_length)
        made = processor(*texts, truncation=True, max_length=longest, return_attention_mask=False)
        columns = {"input_ids": Ragged.of(made["input_ids"], padding=processor.pad_token_id)}
        if self.pair and "token_type_ids" in made:
            columns["token_type_ids"] = Ragged.of(made["token_type_ids"])
        return Encoded(
            columns=columns,
            labels=np.array([example.label for example in examples]),
            ids=tuple(example.id for example in examples),
            units=np.array([len(row) for row in made["input_ids"]], float),
        )

    def inspect(self, inputs: Sequence[Mapping[str, Any]], processor: Any) -> list[Inspected]:
        """Compare texts as they are, and without capitals, signs, links and names; count their tokens."""
        texts = [[as_text(row[name]) for row in inputs] for name in self.inputs()]
        longest = min(self.max_length, processor.model_max_length)
        # One token more than is kept shows what would be cut off, at no greater price.
        lengths = [len(row) for row in processor(*texts, truncation=True, max_length=longest + 1)["input_ids"]]
        return [
            Inspected(_digest(row), (_digest(map(_plain, row)),), problems=() if any(row) else ("input empty",), cut_off=length > longest)
            for row, length in zip(zip(*texts, strict=True), lengths, strict=True)
        ]


def _plain(text: str) -> str:
    """Leave out what hardly matters: capitals, signs, spaces, links and names of users."""
    without = re.sub(r"https?://\S+|@\w+", " ", text.casefold())
    return " ".join(re.findall(r"\w+", without))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
