"""The VADER lexicon: English words, each rated by ten people from -4 (most negative) to 4 (most positive)."""

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
        """The first five letters, four of words up to five: `abuse`, `abused` and `abusive` are one family.

        Without families, looking up a prefix seen in training gives much of the answer away.
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
    """Read the alphabetic entries, in the order of the file, the first of those that differ in case only."""
    found: dict[str, Word] = {}
    for line in lexicon_file().read_text(encoding="utf-8").splitlines():
        text, rating, *_ = line.split("\t")
        if text.isascii() and text.isalpha():
            found.setdefault(text.lower(), Word(text.lower(), float(rating)))
    return tuple(found.values())
