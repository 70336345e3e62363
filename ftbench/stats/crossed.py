"""The uncertainty of a score over seeds and test items at once, every seed tested on every item."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .estimates import CONFIDENCE, t_quantile, t_tail

if TYPE_CHECKING:
    from numpy.typing import NDArray


_ROUNDING = 1e-12


@dataclass(frozen=True)
class Crossed:
    """The mean of scores over seeds and items, both drawn at random."""

    mean: float
    seeds: int
    items: int
    """Items, or groups of items that belong together."""
    error: float
    """Standard error of the mean, over new seeds and new items."""
    df: float
    """Degrees of freedom of its t interval."""

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """Give half the width of the two-sided t interval."""
        return t_quantile(self.df, (1 + confidence) / 2) * self.error if self.error else 0.0

    @property
    def p(self) -> float | None:
        """The two-sided p-value of a mean of zero; None where there is no error to compare it with."""
        if self.error == 0:
            return 1.0 if self.mean == 0 else None
        return min(1.0, 2 * t_tail(self.df, abs(self.mean) / self.error))


def crossed(scores: NDArray[np.float64], largest: float = 0.0) -> Crossed:
    """Sum up scores, or differences of scores, of S seeds on the same N items.

    With mean m, MS_S = N·Σ(row − m)²/(S − 1), MS_I = S·Σ(column − m)²/(N − 1), MS_E = Σ residual²/((S − 1)(N − 1)) of the two-way
    layout: the variance of m is the largest of (MS_S + MS_I − MS_E)/(SN), MS_S/(SN) and MS_I/(SN), on
    (MS_S + MS_I)²/(MS_S²/(S − 1) + MS_I²/(N − 1)) degrees of freedom (Satterthwaite 1946; Searle 1971, section 9.9).

    A few items that all came out the same are no certainty: their variance is taken to be what two more items would give, one
    `largest` above the others and one below (after Bonett and Price 2012).

    Args:
        scores: shape [seeds, items].
        largest: the largest score of an item, 1 for shares of right answers; 0 where that is not known.

    Raises:
        ValueError: fewer than two seeds or two items, or a score that is not finite.
    """
    found = np.asarray(scores, float)
    if found.ndim != 2 or min(found.shape) < 2 or not np.isfinite(found).all():
        message = f"two seeds and two items with finite scores are needed, got shape {found.shape}"
        raise ValueError(message)
    seeds, items = found.shape
    mean, rows, columns = float(found.mean()), found.mean(1), found.mean(0)
    of_seeds = items * float(((rows - mean) ** 2).sum()) / (seeds - 1)
    of_items = seeds * float(((columns - mean) ** 2).sum()) / (items - 1)
    residual = float(((found - rows[:, None] - columns[None] + mean) ** 2).sum()) / ((seeds - 1) * (items - 1))
    variance = max(of_seeds + of_items - residual, of_seeds, of_items) / (seeds * items)
    least = 2 * largest**2 / (items + 2) ** 2
    if of_items < _ROUNDING**2 and variance < least:
        return Crossed(mean, seeds, items, math.sqrt(least), items - 1)
    if variance == 0:
        return Crossed(mean, seeds, items, 0.0, items - 1)
    df = (of_seeds + of_items) ** 2 / (of_seeds**2 / (seeds - 1) + of_items**2 / (items - 1))
    return Crossed(mean, seeds, items, math.sqrt(variance), df)


def clustered(scores: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Join items that belong together, so that `crossed` takes whole groups for what is drawn at random.

    A group's score in a seed is m + C/N·Σ(score − m) over its items, m the seed's mean, C the groups, N the items: their mean is m,
    and their variance the cluster-robust one, C/(C − 1)·Σ_c(Σ_{i∈c}(x_i − m))²/N² (Liang and Zeger 1986; Miller 2024, section 2.2).

    Args:
        scores: shape [seeds, items].
        groups: what each item belongs to, numbered, shape [items].

    Returns:
        Scores of groups, shape [seeds, groups], in the order of their numbers.
    """
    names, places = np.unique(groups, return_inverse=True)
    means = scores.mean(1, keepdims=True)
    summed = np.zeros((len(names), len(scores)))
    np.add.at(summed, places, (scores - means).T)
    joined: NDArray[np.float64] = means + len(names) / len(places) * summed.T
    return joined
