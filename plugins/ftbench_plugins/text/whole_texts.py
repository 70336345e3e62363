"""Shared base of tasks with one output per text, or pair of texts."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ftbench import Encoded, Ragged
from ftbench.tasks import Augmentable

from .texts import OwnTexts, plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Example
    from numpy.typing import NDArray


@dataclass
class WholeTexts(Augmentable, OwnTexts):
    """A task on one text, or two, per row."""

    text: str = "text"
    """Column of the text."""
    pair: str = ""
    """Column of an optional second text, as in entailment; none by default."""

    @abstractmethod
    def label_rows(self, examples: Sequence[Example[tuple[str, int]]]) -> NDArray[Any]:
        """Return the labels of some examples, one row each."""

    def inputs(self) -> tuple[str, ...]:
        """The column of the text, or of both texts."""
        return (self.text, self.pair) if self.pair else (self.text,)

    def texts(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the text, or both texts."""
        return tuple(plain_text(row[name]) for name in self.inputs())

    def raw_inputs(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> list[tuple[str, ...]]:
        """Read the text, or both texts."""
        return [self.texts(row) for row in self.cells(examples)]

    def encode_inputs(
        self, inputs: Sequence[tuple[str, ...]], examples: Sequence[Example[tuple[str, int]]], processor: Any
    ) -> Encoded:
        """Tokenize; a text's units are its tokens, including special tokens."""
        texts = [list(column) for column in zip(*inputs, strict=True)]
        made = processor(*texts, truncation=True, max_length=self.longest(processor), return_attention_mask=False)
        columns = {"input_ids": Ragged.of(made["input_ids"], padding=processor.pad_token_id)}
        if self.pair and "token_type_ids" in made:
            columns["token_type_ids"] = Ragged.of(made["token_type_ids"])
        return Encoded(
            columns=columns,
            labels=self.label_rows(examples),
            ids=tuple(example.id for example in examples),
            units=np.array([len(row) for row in made["input_ids"]], float),
        )
