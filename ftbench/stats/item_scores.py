"""Per-item scores of trials, and the uncertainty of scores and differences over seeds and test items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .crossed import Crossed, clustered, crossed
from .estimates import ALPHA, Estimate, Interval, NewItems, half_width, verdict_of
from .intervals import ANY, Range, interval_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .estimates import Difference


NO_GROUPS = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Items:
    """Contribution of each test item to the score of one trial; the mean over items is the score."""

    metric: str
    """Name of the score."""
    key: str
    """Hash of the item ids in order; equal for trials that were tested on the same items."""
    values: NDArray[np.float64]
    """Shape [items]."""
    groups: NDArray[np.int64] = field(default_factory=NO_GROUPS.copy)
    """Group number of each item, such as its speaker, shape [items]; empty if items are independent."""
    largest: float = 1.0
    """Largest possible score of an item, 1 for shares; 0 if unknown."""


def over_items(trials: Sequence[Items], subtracted: Sequence[Items] = ()) -> tuple[Crossed, int, int | None] | str:
    """Compute the uncertainty over seeds and items of a score, or of the difference of two scores on the same seeds.

    Args:
        trials: item scores of one trial per seed, in the order of the seeds.
        subtracted: item scores to subtract, one trial per seed; nothing by default.

    Returns:
        The mean and its error, the number of items, and the number of groups (None without groups); or the reason why
        they cannot be computed.
    """
    both = (*trials, *subtracted)
    if len({one.key for one in both}) != 1:
        return "seeds were not tested on the same items"
    scores = np.stack([one.values for one in trials])
    if subtracted:
        scores = scores - np.stack([one.values for one in subtracted])
    items, groups = scores.shape[1], next((one.groups for one in both if one.groups.size), NO_GROUPS)
    if groups.size:
        scores = clustered(scores, groups)
    if min(scores.shape) < 2:
        return (
            f"{'one group of items does' if groups.size else 'one item does'} not show how items vary"
            if scores.shape[0] > 1
            else "one seed does not show how seeds vary"
        )
    return crossed(scores, both[0].largest), items, scores.shape[1] if groups.size else None


def on_new_items(found: Difference, first: Sequence[Items], second: Sequence[Items], *, lower: bool) -> NewItems | str:
    """Compute the verdict on a difference over seeds and items, or return the reason why that is impossible.

    The interval is never narrower than the one over seeds alone, which has fewer degrees of freedom.

    Args:
        found: the difference over seeds.
        first: item scores of the baseline, one trial per seed, in the order of the seeds.
        second: item scores of the other strategy.
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
        verdict_of(over.mean, half_90, half_95, found.margin, lower=lower)
        if over.error or not over.mean
        else "undecided"
    )
    if not found.estimate.claimable:
        verdict = "too few seeds"
    p = over.p if over.p is None or found.p is None else max(over.p, found.p)
    return NewItems(Interval(found.estimate.mean - half_95, found.estimate.mean + half_95), p, verdict, items, groups)


def interval_over_items(found: Estimate, trials: Sequence[Items], within: Range = ANY) -> Interval | str:
    """Return the 95 % interval of a score over seeds and items, or the reason why there is none; see `on_new_items`.

    Args:
        found: the score over seeds.
        trials: item scores of one trial per seed.
        within: range of the score.
    """
    summed = over_items(trials)
    if isinstance(summed, str):
        return summed
    over, items, _ = summed
    both = Estimate(found.mean, found.n, None, None, found.deviation, over.error, over.df)
    intervals = [interval_of(one, within, items=items) for one in (found, both)]
    known = [one for one in intervals if one is not None]
    return Interval(min(one.low for one in known), max(one.high for one in known))
