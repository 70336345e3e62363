"""One look at paired seeds: is there a loss that matters, is there none, or can it not be told yet?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from .estimates import CLAIM, half_width, t_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .estimates import Estimate

Said = Literal["regressed", "ok", "inconclusive"]


def loss_p(gains: Estimate) -> float | None:
    """Give the one-sided p-value of there being no loss, P(T(n−1) ≤ mean·√n/s); None at n = 1.

    Where all gains are equal it is 0 for a loss and 1 for none: scores in coarse steps may agree by chance, which is rarer than
    the level of a look where their common loss is beyond a margin of about one step.

    Args:
        gains: of paired differences, head less base, turned so that more is better.
    """
    if gains.deviation is None:
        return None
    if gains.deviation == 0:
        return 0.0 if gains.mean < 0 else 1.0
    return t_tail(gains.n - 1, -gains.mean / (gains.deviation / math.sqrt(gains.n)))


def said(gains: Estimate, p: float | None, margin: float, alpha: float) -> Said:
    """Say what one look at level α comes to.

    `regressed` where the loss is real (p < α: its upper bound is below zero) and its mean beyond the margin; `ok` where the lower
    bound mean − t(n−1, 1−α)·s/√n is above −margin; else `inconclusive`, as under three pairs.

    Args:
        gains: of paired differences, head less base, turned so that more is better.
        p: of `loss_p`, corrected where there are several scores.
        margin: the largest loss that does not matter.
        alpha: level of this look.
    """
    if gains.n < CLAIM or p is None:
        return "inconclusive"
    if p < alpha and gains.mean < -margin:
        return "regressed"
    return "ok" if gains.mean - half_width(gains, alpha) > -margin else "inconclusive"


def next_look(n: int, looks: Sequence[int]) -> int | None:
    """Give the number of pairs of the look after one at `n`; None where that was the last."""
    return next((look for look in looks if look > n), None)
