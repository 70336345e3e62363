"""Non-inferiority test of one look at paired seeds: a relevant loss, no relevant loss, or inconclusive."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from .estimates import CLAIM, half_width, t_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .estimates import Estimate

Outcome = Literal["regressed", "ok", "inconclusive"]


def loss_p(gains: Estimate) -> float | None:
    """Return the one-sided p-value of the hypothesis of no loss, P(T(n−1) ≤ mean·√n/s); None if n = 1.

    If all gains are equal, it is 0 for a loss and 1 otherwise. Scores that move in coarse steps may agree by chance,
    but less often than the level of a look if their common loss exceeds a margin of about one step.

    Args:
        gains: estimate of paired differences, head minus base, with the sign that makes higher better.
    """
    if gains.deviation is None:
        return None
    if gains.deviation == 0:
        return 0.0 if gains.mean < 0 else 1.0
    return t_tail(gains.n - 1, -gains.mean / (gains.deviation / math.sqrt(gains.n)))


def said(gains: Estimate, p: float | None, margin: float, alpha: float) -> Outcome:
    """Return the outcome of one look at level α.

    * `regressed` if the loss is significant (p < α: its upper bound is below zero) and its mean exceeds the margin;
    * `ok` if the lower bound, mean − t(n−1, 1−α)·s/√n, is above −margin;
    * `inconclusive` otherwise, and with fewer than three pairs.

    Args:
        gains: estimate of paired differences, head minus base, with the sign that makes higher better.
        p: p-value from `loss_p`, corrected if there are several scores.
        margin: largest loss that does not matter.
        alpha: level of this look.
    """
    if gains.n < CLAIM or p is None:
        return "inconclusive"
    if p < alpha and gains.mean < -margin:
        return "regressed"
    return "ok" if gains.mean - half_width(gains, alpha) > -margin else "inconclusive"


def next_look(n: int, looks: Sequence[int]) -> int | None:
    """Return the number of pairs of the next look after `n` pairs; None after the last look."""
    return next((look for look in looks if look > n), None)
