"""What the best of several tries would have been on average: a best score grows with the number of tries, and is corrected for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def expected_best(scores: Sequence[float], count: int) -> float:
    """Give the expected highest of `count` scores drawn from those that were found, each as likely, with replacement.

    E[max of k] = Σᵢ v₍ᵢ₎·((i/n)ᵏ − ((i−1)/n)ᵏ) over the sorted scores v₍₁₎ ≤ … ≤ v₍ₙ₎ (Dodge et al. 2019, EMNLP, "Show Your Work",
    section 3). It is exact for the found scores as a distribution, and too low for the one they come from (Tang et al. 2020, ACL). Tries
    that were not drawn independently, such as a grid's, are taken as if they had been.

    Args:
        scores: of the tries that have one, higher better, shape [n], n ≥ 1.
        count: k ≥ 1.

    Raises:
        ValueError: there is no score, or nothing is drawn.
    """
    if not len(scores) or count < 1:
        message = "an expected best needs a score and a draw"
        raise ValueError(message)
    ordered = np.sort(np.asarray(scores, float))
    below = (np.arange(len(ordered) + 1) / len(ordered)) ** count
    return float(ordered @ np.diff(below))
