"""Tie groups and possible ranks that follow from pairwise comparisons."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


def possible_ranks(names: Sequence[str], beaten: Collection[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Return the possible ranks of each name, 1 the best: below all that are shown better, above all shown worse.

    Args:
        names: all that are ranked.
        beaten: pairs that differ significantly, the worse first.

    Returns:
        Name → its best and worst possible rank; the two are equal if all others differ significantly from it.
    """
    found = [pair for pair in beaten if set(pair) <= set(names)]
    worse, better = Counter(one for one, _ in found), Counter(other for _, other in found)
    return {name: (1 + worse[name], len(names) - better[name]) for name in names}


def tie_groups(names: Sequence[str], apart: Collection[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Return the largest groups of statistically tied names: the maximal cliques of ties (Bron and Kerbosch 1973).

    A name can be in several groups: a may be tied with b, and b with c, while a and c differ significantly.

    Args:
        names: best first; groups and their members come in this order.
        apart: pairs that differ significantly, in either order.

    Returns:
        Groups of two or more.
    """
    different = {frozenset(pair) for pair in apart}
    tied = {
        one: {other for other in names if other != one and frozenset((one, other)) not in different} for one in names
    }
    order = {name: number for number, name in enumerate(names)}
    found = [sorted(group, key=order.__getitem__) for group in _cliques(set(), set(names), set(), tied)]
    return tuple(
        tuple(group) for group in sorted(found, key=lambda group: [order[name] for name in group]) if len(group) > 1
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
