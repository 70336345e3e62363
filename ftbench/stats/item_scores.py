"""What each test item adds to a trial's score, read from the predictions that are kept beside its record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .crossed import Crossed, clustered, crossed
from .estimates import ALPHA, CLAIM, Interval, NewItems, half_width, judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .estimates import Difference, Estimate


NO_GROUPS = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Items:
    """What each test item adds to one trial's score: the mean over items is the score."""

    metric: str
    """The score."""
    key: str
    """Hash of the items' ids in their order: equal for trials that were tested on the same items."""
    values: NDArray[np.float64]
    """Shape [items]."""
    groups: NDArray[np.int64] = field(default_factory=NO_GROUPS.copy)
    """What each item belongs to, such as a speaker, numbered, shape [items]; empty where every item stands for itself."""
    largest: float = 1.0
    """The largest score of an item, 1 for shares; 0 where there is none that is known."""


def over_items(trials: Sequence[Items], less: Sequence[Items] = ()) -> tuple[Crossed, int, int | None] | str:
    """Give the uncertainty over seeds and items of a score, or of the difference of two scores on the same seeds.

    Args:
        trials: one a seed, in the order of the seeds.
        less: what is subtracted, one a seed; nothing by default.

    Returns:
        It, the number of items, and that of the groups they belong to, if they belong to groups; or a sentence why there is none.
    """
    both = (*trials, *less)
    if len({one.key for one in both}) != 1:
        return "seeds were not tested on the same items"
    scores = np.stack([one.values for one in trials])
    if less:
        scores = scores - np.stack([one.values for one in less])
    items, groups = scores.shape[1], next((one.groups for one in both if one.groups.size), NO_GROUPS)
    if groups.size:
        scores = clustered(scores, groups)
    if min(scores.shape) < 2:
        return (
            f"{'one group of items' if groups.size else 'one item'} tells nothing of others"
            if scores.shape[0] > 1
            else "one seed has no noise"
        )
    return crossed(scores, both[0].largest), items, scores.shape[1] if groups.size else None


def on_new_items(found: Difference, first: Sequence[Items], second: Sequence[Items], *, lower: bool) -> NewItems | str:
    """Judge a difference over seeds and items; a sentence where that cannot be.

    Its interval is never narrower than that over seeds alone, which has fewer degrees of freedom.

    Args:
        found: the difference over seeds.
        first: of the baseline, one a seed, in the order of the seeds.
        second: of the other.
        lower: whether a lower score is better.
    """
    summed = over_items(second, first)
    if isinstance(summed, str):
        return summed
    over, items, groups = summed
    half_90, half_95 = (
        max(over.half_width(1 - 2 * alpha), half_width(found.estimate, alpha)) for alpha in (ALPHA, ALPHA / 2)
    )
    verdict = (
        judged(over.mean, half_90, half_95, found.margin, lower=lower) if over.error or not over.mean else "undecided"
    )
    if over.seeds < CLAIM:
        verdict = "too few seeds"
    p = over.p if over.p is None or found.p is None else max(over.p, found.p)
    return NewItems(Interval(found.estimate.mean - half_95, found.estimate.mean + half_95), p, verdict, items, groups)


def interval_over_items(found: Estimate, trials: Sequence[Items]) -> Interval | str:
    """Give the 95 % interval of a score over seeds and items; a sentence where that cannot be. See `on_new_items`."""
    summed = over_items(trials)
    if isinstance(summed, str):
        return summed
    half = max(summed[0].half_width(), half_width(found, ALPHA / 2))
    return Interval(found.mean - half, found.mean + half)
