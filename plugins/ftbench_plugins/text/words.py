"""Two classification tasks on the same human-rated words: positive or negative, weak or strong."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from ftbench import Encoded, Example, Provenance, Ragged, Splits
from ftbench.fingerprint import file_sha256
from ftbench.tasks import Augmentable, DrawnClassificationTask

from .lexicon import Word, lexicon_file, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass
class _RatedWords(Augmentable, DrawnClassificationTask):
    """Shared base of both: the lexicon, families that stay in one split, tokenization."""

    modality: ClassVar[str] = "text"
    unit: ClassVar[str] = "tokens"

    train_size: Annotated[int, Ge(1)] = 240
    """Number of training words, balanced over the classes."""
    max_length: Annotated[int, Ge(3)] = 12
    """Longest encoded word, in tokens."""

    @abstractmethod
    def label(self, word: Word) -> int | None:
        """Return the class of a word; None excludes it."""

    def splits(self, seed: int) -> Splits[str]:
        """Draw balanced splits; each word family is in only one of them."""
        labelled = [(word, self.label(word)) for word in words()]
        examples = [Example(word.text, word.text, label) for word, label in labelled if label is not None]
        families = {word.text: word.family for word, _ in labelled}
        return Splits(**self.drawn(examples, seed, families))

    def raw_inputs(self, examples: Sequence[Example[str]], processor: Any) -> list[tuple[str, ...]]:
        """Return the words."""
        return [(example.value,) for example in examples]

    def encode_inputs(
        self, inputs: Sequence[tuple[str, ...]], examples: Sequence[Example[str]], processor: Any
    ) -> Encoded:
        """Tokenize; a word's units are its tokens, including special tokens."""
        rows = processor([text for (text,) in inputs], truncation=True, max_length=self.max_length)["input_ids"]
        return Encoded(
            columns={"input_ids": Ragged.of(rows, padding=processor.pad_token_id)},
            labels=np.array([example.label for example in examples]),
            ids=tuple(example.id for example in examples),
            units=np.array([len(row) for row in rows], float),
        )

    def groups(self, ids: Sequence[str]) -> Sequence[str]:
        """Return the words' families."""
        families = {word.text: word.family for word in words()}
        return [families[identity] for identity in ids]

    def fingerprint(self) -> Mapping[str, Any]:
        """Return the hash of the lexicon."""
        return {"lexicon": file_sha256(lexicon_file())}

    def provenance(self) -> Provenance:
        """Return the lexicon as source."""
        return Provenance(
            "MIT", "VADER lexicon (Hutto and Gilbert 2014), PyPI wheel vaderSentiment 3.3.2, ten ratings a word"
        )


@dataclass
class WordSentiment(_RatedWords):
    """Classify English words as positive or negative: words rated at least 1.0 away from neutral."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The two signs."""
        return ("negative", "positive")

    def label(self, word: Word) -> int | None:
        """Return the sign of the rating."""
        return None if abs(word.rating) < 1.0 else int(word.rating > 0)


@dataclass
class WordIntensity(_RatedWords):
    """Classify English words by weak or strong feeling: rated up to 1.2, or at least 2.2, away from neutral."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The two strengths."""
        return ("weak", "strong")

    def label(self, word: Word) -> int | None:
        """Compare the distance from neutral."""
        distance = abs(word.rating)
        return 0 if distance <= 1.2 else 1 if distance >= 2.2 else None
