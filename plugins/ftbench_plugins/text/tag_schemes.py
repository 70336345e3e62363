"""Schemes of tags that mark entities: which tag may follow which, and which schemes a data set follows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OUTSIDE = "O"
PREFIXES = {"IOB1": "IB", "IOB2": "IB", "IOE1": "IE", "IOE2": "IE", "IOBES": "IBES", "BILOU": "BILU"}
"""Scheme → prefixes of its tags."""


def has_prefix(tag: str, scheme: str) -> bool:
    """Return whether a tag is `O`, or has a prefix of the scheme."""
    return tag == OUTSIDE or (tag[:1] in PREFIXES[scheme] and tag[1:2] == "-")


def violation(tags: Sequence[str], scheme: str) -> str:
    """Return the first place of a sentence where tags break the scheme, such as `'I-PER' after 'O'`; empty if none."""
    strange = next((tag for tag in tags if not has_prefix(tag, scheme)), None)
    if strange is not None:
        return repr(strange)
    for before, after in pairwise([OUTSIDE, *tags, OUTSIDE]):
        if not _may_follow(before, after, scheme):
            return f"{after!r} after {before!r}"
    return ""


def fitting(sentences: Iterable[Sequence[str]]) -> list[str]:
    """Return the schemes that the tags of every sentence follow."""
    left = list(PREFIXES)
    for tags in sentences:
        left = [scheme for scheme in left if not violation(tags, scheme)]
    return left


def _may_follow(before: str, after: str, scheme: str) -> bool:
    """Return whether a tag may follow another.

    In IOE1, a chunk that ends with E has a word before it, as seqeval reads it.

    Sources: Ramshaw and Marcus (1995) for IOB1, Tjong Kim Sang and Veenstra (1999) for the others with two prefixes,
    Ratinov and Roth (2009) for BILOU; IOBES has other letters only.
    """
    same = before != OUTSIDE and before[1:] == after[1:]
    if scheme == "IOB1":
        return same or after[0] != "B"
    if scheme == "IOB2":
        return same or after[0] != "I"
    if scheme == "IOE1":
        ends_alone = after[0] == "E" and not (same and before[0] == "I")
        return not ends_alone and (same or before[0] != "E")
    if scheme == "IOE2":
        return same or before[0] != "I"
    ends = "IE" if scheme == "IOBES" else "IL"
    goes_on, continues = before[0] in "BI", after[0] in ends
    return same if goes_on and continues else not goes_on and not continues
