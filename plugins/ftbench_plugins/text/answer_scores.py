"""Score short answers like the SQuAD script (Rajpurkar et al. 2016, section 6.1)."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNS = str.maketrans("", "", string.punctuation)


def normalised(answer: str) -> list[str]:
    """Return the words of an answer without case, punctuation and articles."""
    return re.sub(r"\b(a|an|the)\b", " ", answer.lower().translate(_SIGNS)).split()


def exact_match(said: str, right: str) -> float:
    """Return 1 if both have the same words in the same order, otherwise 0."""
    return float(normalised(said) == normalised(right))


def shared_words(said: str, right: str) -> float:
    """Return the F1 of the words of two answers; if either is empty, 1 if both are and otherwise 0."""
    one, other = normalised(said), normalised(right)
    if not one or not other:
        return float(one == other)
    common = sum((Counter(one) & Counter(other)).values())
    return 2 * common / (len(one) + len(other))


def best_scores(said: str, answers: Sequence[str]) -> tuple[float, float]:
    """Return exact match and F1 against the closest right answer; without right answers, the empty answer is right."""
    right = [answer for answer in answers if normalised(answer)] or [""]
    return max(exact_match(said, one) for one in right), max(shared_words(said, one) for one in right)
