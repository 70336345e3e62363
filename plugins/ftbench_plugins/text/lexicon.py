"""Read the VADER lexicon: English words, each rated by ten people from -4 (most negative) to 4 (most positive)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ftbench import UserError


@dataclass(frozen=True)
class Word:
    """One entry."""

    text: str
    """The word, letters only, in lower case."""
    rating: float
    """Mean of the ten ratings."""

    @property
    def family(self) -> str:
        """First five letters, or four for words of up to five: `abuse`, `abused` and `abusive` form one family.

        Without families, much of the label could be predicted from prefixes seen in training.
        """
        return self.text[: 5 if len(self.text) > 5 else 4]


def lexicon_file() -> Path:
    """Find the lexicon in the wheel `vaderSentiment`.

    Raises:
        UserError: the wheel is not installed.
    """
    spec = find_spec("vaderSentiment")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("this task needs the wheel vaderSentiment: pip install 'ftbench[embedded]'")
    return Path(spec.submodule_search_locations[0]) / "vader_lexicon.txt"


@cache
def words() -> tuple[Word, ...]:
    """Read the alphabetic entries in file order; of entries that differ only in case, the first."""
    found: dict[str, Word] = {}
    for line in lexicon_file().read_text(encoding="utf-8").splitlines():
        text, rating, *_ = line.split("\t")
        if text.isascii() and text.isalpha():
            found.setdefault(text.lower(), Word(text.lower(), float(rating)))
    return tuple(found.values())
