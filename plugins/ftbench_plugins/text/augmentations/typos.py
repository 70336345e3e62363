"""Typing errors: neighbouring keys and swapped letters (Belinkov and Bisk 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Gt, Le, MinLen

from .rewriting import TextAugmentation

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

Layout = Literal["qwerty", "qwertz", "azerty"]

_ROWS: Mapping[str, tuple[str, ...]] = {
    "qwerty": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "qwertz": ("qwertzuiop", "asdfghjkl", "yxcvbnm"),
    "azerty": ("azertyuiop", "qsdfghjklm", "wxcvbn"),
}
# Shift of each row of keys to the right of the first, in keys.
_OFFSETS = (0.0, 0.25, 0.75)


@dataclass
class Typos(TextAugmentation):
    """Mistype letters: hit a neighbouring key, or swap two letters (Belinkov and Bisk 2018, arXiv:1711.02173)."""

    share: Annotated[float, Gt(0), Le(1)] = 0.05
    """Probability of mistyping each letter."""
    kinds: Annotated[tuple[Literal["neighbour", "swap"], ...], MinLen(1)] = ("neighbour", "swap")
    """`neighbour`: hit an adjacent key. `swap`: swap the letter with the next one."""
    layout: Layout = "qwerty"
    """Keyboard layout of the letters a to z."""

    def rewrite(self, text: str, rng: np.random.Generator) -> str:
        """Mistype each letter with probability `share`; a letter stays if the drawn kind does not apply to it."""
        letters, keys = list(text), neighbours(self.layout)
        struck = rng.random(len(letters)) < self.share
        place = 0
        while place < len(letters):
            letter = letters[place]
            if struck[place] and letter.isalpha():
                kind = self.kinds[int(rng.integers(len(self.kinds)))]
                if kind == "swap" and place + 1 < len(letters) and letters[place + 1].isalpha():
                    letters[place : place + 2] = [letters[place + 1], letter]
                    place += 1
                elif kind == "neighbour" and letter.lower() in keys:
                    near = keys[letter.lower()]
                    hit = near[int(rng.integers(len(near)))]
                    letters[place] = hit.upper() if letter.isupper() else hit
            place += 1
        return "".join(letters)


@cache
def neighbours(layout: Layout) -> Mapping[str, str]:
    """Return letter → letters on adjacent keys."""
    places = {
        letter: (row, column + _OFFSETS[row])
        for row, letters in enumerate(_ROWS[layout])
        for column, letter in enumerate(letters)
    }

    def touch(one: str, other: str) -> bool:
        (row, x), (other_row, other_x) = places[one], places[other]
        return one != other and abs(row - other_row) <= 1 and abs(x - other_x) <= 1

    return {one: "".join(sorted(other for other in places if touch(one, other))) for one in places}
