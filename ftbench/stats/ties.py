"""Who cannot be told apart: the groups, and the places, that a table of many comparisons leaves."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


def places(names: Sequence[str], beaten: Collection[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Give the places each may hold, 1 the best: after all that are shown better, before all that are shown worse.

    Args:
        names: everyone who is ranked.
        beaten: pairs that are told apart, the worse first.

    Returns:
        Name → the best and the worst place it may hold; equal where everyone else is told apart from it.
    """
    found = [pair for pair in beaten if set(pair) <= set(names)]
    worse, better = Counter(one for one, _ in found), Counter(other for _, other in found)
    return {name: (1 + worse[name], len(names) - better[name]) for name in names}


def tie_groups(names: Sequence[str], apart: Collection[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Give the largest groups within which no two are told apart: the maximal cliques of the ties (Bron and Kerbosch 1973).

    Someone may stand in several: a is not told apart from b, nor b from c, and yet a from c.

    Args:
        names: best first; groups and their members come in this order.
        apart: pairs that are told apart, in either order.

    Returns:
        Groups of two and more.
    """
    different = {frozenset(pair) for pair in apart}
    tied = {
        one: {other for other in names if other != one and frozenset((one, other)) not in different} for one in names
    }
    place = {name: number for number, name in enumerate(names)}
    found = [sorted(group, key=place.__getitem__) for group in _cliques(set(), set(names), set(), tied)]
    return tuple(
        tuple(group) for group in sorted(found, key=lambda group: [place[name] for name in group]) if len(group) > 1
    )


def _cliques(group: set[str], more: set[str], seen: set[str], tied: dict[str, set[str]]) -> Iterator[set[str]]:
    if not more and not seen:
        yield group
        return
    pivot = max(sorted(more | seen), key=lambda name: len(tied[name] & more))
    for name in sorted(more - tied[pivot]):
        yield from _cliques(group | {name}, more & tied[name], seen & tied[name], tied)
        more = more - {name}
        seen = seen | {name}
