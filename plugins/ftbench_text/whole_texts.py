"""Texts, or pairs of texts, that are read whole and summed up in one answer."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ftbench import Encoded, Ragged
from ftbench.tasks import Augmentable, as_text

from .texts import OwnTexts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Example
    from numpy.typing import NDArray


@dataclass
class WholeTexts(Augmentable, OwnTexts):
    """A task on one text a row, or two."""

    text: str = "text"
    """Column of the text."""
    pair: str = ""
    """Column of a second text that is read along, as in entailment; none by default."""

    @abstractmethod
    def label_rows(self, examples: Sequence[Example[tuple[str, int]]]) -> NDArray[Any]:
        """Give the labels of some examples, a row each."""

    def inputs(self) -> tuple[str, ...]:
        """One text, or two."""
        return (self.text, self.pair) if self.pair else (self.text,)

    def texts(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """One text, or two."""
        return tuple(as_text(row[name]) for name in self.inputs())

    def raw_inputs(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> list[tuple[str, ...]]:
        """Read the text, or the two."""
        return [self.texts(row) for row in self.cells(examples)]

    def encode_inputs(
        self, inputs: Sequence[tuple[str, ...]], examples: Sequence[Example[tuple[str, int]]], processor: Any
    ) -> Encoded:
        """Tokenize; a text's tokens, the special ones included, are its units."""
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
