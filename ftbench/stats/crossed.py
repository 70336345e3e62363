"""Uncertainty of a mean score over seeds and test items at once, with every seed tested on every item."""

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
    """Mean of scores over seeds and items, both treated as random samples."""

    mean: float
    seeds: int
    items: int
    """Number of items, or of groups of related items."""
    error: float
    """Standard error of the mean, over new seeds and new items."""
    df: float
    """Degrees of freedom of the t interval."""

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """Return half the width of the two-sided t interval."""
        return t_quantile(self.df, (1 + confidence) / 2) * self.error if self.error else 0.0

    @property
    def p(self) -> float | None:
        """Two-sided p-value of the hypothesis that the mean is zero; None if the error is zero and the mean is not."""
        if self.error == 0:
            return 1.0 if self.mean == 0 else None
        return min(1.0, 2 * t_tail(self.df, abs(self.mean) / self.error))


def crossed(scores: NDArray[np.float64], largest: float = 0.0) -> Crossed:
    """Compute the mean and standard error of scores, or score differences, of S seeds on the same N items.

    The two-way layout with mean m has MS_S = N·Σ(row − m)²/(S − 1), MS_I = S·Σ(column − m)²/(N − 1) and
    MS_E = Σ residual²/((S − 1)(N − 1)). The variance of m is the largest of (MS_S + MS_I − MS_E)/(SN), MS_S/(SN) and
    MS_I/(SN), on (MS_S + MS_I)²/(MS_S²/(S − 1) + MS_I²/(N − 1)) degrees of freedom (Satterthwaite 1946; Searle 1971,
    section 9.9).

    If all of a few items have the same score, the true variance is still not zero. The variance is then the one that
    two more items would give, one `largest` above the others and one `largest` below (after Bonett and Price 2012).

    Args:
        scores: shape [seeds, items].
        largest: largest possible score of an item, 1 for shares of right answers; 0 if unknown.

    Raises:
        ValueError: if there are fewer than two seeds or two items, or a score is not finite.
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
    """Compute scores of groups of related items, so that `crossed` treats whole groups as the random sample.

    With m the seed's mean, C groups and N items, the score of a group is m + C/N·Σ(score − m) over its items. The mean
    of the group scores is m. Their variance is the cluster-robust one, C/(C − 1)·Σ_c(Σ_{i∈c}(x_i − m))²/N² (Liang and
    Zeger 1986; Miller 2024, section 2.2).

    Args:
        scores: shape [seeds, items].
        groups: group number of each item, shape [items].

    Returns:
        Scores of groups, shape [seeds, groups], in the order of the group numbers.
    """
    numbers, group_of_item = np.unique(groups, return_inverse=True)
    means = scores.mean(1, keepdims=True)
    summed = np.zeros((len(numbers), len(scores)))
    np.add.at(summed, group_of_item, (scores - means).T)
    joined: NDArray[np.float64] = means + len(numbers) / len(group_of_item) * summed.T
    return joined
