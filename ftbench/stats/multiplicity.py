"""Many comparisons at once: p-values adjusted so that false alarms stay rare."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .estimates import ALPHA, MARGIN, Difference, Verdict, paired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Key = TypeVar("Key")
CLAIMS: tuple[Verdict, ...] = ("better", "worse")


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for many comparisons so that the chance of any false alarm stays below α (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the expected share of false ones among those below α stays below α.

    For tables that are looked through, not for claims (Benjamini and Hochberg 1995).
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    least = 1.0
    for rank in range(len(p_values), 0, -1):
        place = order[rank - 1]
        least = min(least, len(p_values) / rank * p_values[place])
        adjusted[place] = least
    return adjusted


def adjusted(
    p_values: Mapping[Key, float | None], method: Callable[[Sequence[float]], list[float]] = holm
) -> dict[Key, float | None]:
    """Adjust named p-values; where there is none it stays none and does not count among the comparisons."""
    known = {key: p for key, p in p_values.items() if p is not None}
    found = dict(zip(known, method(list(known.values())), strict=True))
    return {key: found.get(key) for key in p_values}


@dataclass(frozen=True)
class Comparison:
    """One of several comparisons."""

    first: str
    second: str
    difference: Difference
    """Second less first; `better` and `worse` are words for what is left after the correction."""
    p_adjusted: float | None
    """Its p-value, Holm-corrected over all that were compared at once; None where it has none."""
    p_new_items: float | None = None
    """The same of the difference on new test items."""

    @property
    def apart(self) -> bool:
        """Whether the two are told apart on this test set."""
        return self.difference.verdict in ("better", "worse")


def compare_with(
    baseline: str, scores: Mapping[str, Sequence[float]], margin: float = MARGIN, *, lower: bool = False
) -> list[Comparison]:
    """Compare everyone with the baseline, Holm over the k − 1 comparisons.

    Args:
        baseline: a key of `scores`; it comes first in every difference.
        scores: name → scores on the same seeds in the same order, shape [n].
        margin: the largest difference that does not matter.
        lower: whether a lower score is better.

    Raises:
        ValueError: scores are not of one length, or empty.
    """
    return _compared(((baseline, name) for name in scores if name != baseline), scores, margin, lower=lower)


def compare_all(
    scores: Mapping[str, Sequence[float]], margin: float = MARGIN, *, lower: bool = False
) -> list[Comparison]:
    """Compare all pairs, Holm over the k(k − 1)/2 comparisons; see `compare_with`."""
    return _compared(itertools.combinations(scores, 2), scores, margin, lower=lower)


def _compared(
    pairs: Iterable[tuple[str, str]], scores: Mapping[str, Sequence[float]], margin: float, *, lower: bool
) -> list[Comparison]:
    return corrected({(one, other): paired(scores[one], scores[other], margin, lower=lower) for one, other in pairs})


def corrected(found: Mapping[tuple[str, str], Difference]) -> list[Comparison]:
    """Correct what was compared at once by Holm; `better` and `worse` become `undecided` where the correction takes them back.

    What holds on new test items is a family of its own.

    Args:
        found: pair of names → second less first.
    """
    seeds = adjusted({pair: one.p for pair, one in found.items()})
    items = adjusted({pair: one.new_items.p if one.new_items else None for pair, one in found.items()})
    return [
        Comparison(*pair, _softened(one, seeds[pair], items[pair]), seeds[pair], items[pair])
        for pair, one in found.items()
    ]


def _softened(found: Difference, p: float | None, p_new_items: float | None) -> Difference:
    beyond = found.new_items
    if beyond and beyond.verdict in CLAIMS and (p_new_items is None or p_new_items >= ALPHA):
        found = replace(found, new_items=replace(beyond, verdict="undecided"))
    if found.verdict in CLAIMS and (p is None or p >= ALPHA):
        found = replace(found, verdict="undecided")
    return found
