"""Non-inferiority test of one look at paired seeds: a relevant loss, no relevant loss, or inconclusive."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from .estimates import ALPHA, CLAIM, half_width, one_sided_p
from .moderation import moderated_variances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .estimates import Estimate

Outcome = Literal["regressed", "ok", "inconclusive"]


def loss_p(gains: Estimate) -> float | None:
    """Return the one-sided p-value of the hypothesis of no loss, P(T ≤ mean/error); None if n = 1.

    If all gains are equal, it is 0 for a loss and 1 otherwise. Scores that move in coarse steps may agree by chance,
    but less often than the level of a look if their common loss exceeds a margin of about one step.

    Args:
        gains: estimate of paired differences, head minus base, with the sign that makes higher better.
    """
    if gains.deviation is None:
        return None
    if gains.deviation == 0:
        return 0.0 if gains.mean < 0 else 1.0
    return one_sided_p(replace(gains, mean=-gains.mean))


def moderated(gains: Sequence[Estimate]) -> list[Estimate]:
    """Return gains of the same score whose errors are informed by the variances of all; see `ftbench.stats.moderation`.

    Gains that are all equal stay as they are: they come from trials that repeat each other.

    Args:
        gains: one estimate per configuration.
    """
    noisy = [place for place, one in enumerate(gains) if one.deviation]
    found = list(gains)
    if len(noisy) < 3:
        return found
    variances = np.array([(gains[place].deviation or 0.0) ** 2 for place in noisy])
    shrunk, free = moderated_variances(variances, np.array([gains[place].n - 1.0 for place in noisy]), 0.0)
    for place, variance, df in zip(noisy, shrunk.tolist(), free.tolist(), strict=True):
        one = replace(gains[place], error=math.sqrt(variance / gains[place].n), df=df)
        half = half_width(one, ALPHA / 2)
        found[place] = replace(one, low=one.mean - half, high=one.mean + half)
    return found


def said(gains: Estimate, p: float | None, margin: float, alpha: float) -> Outcome:
    """Return the outcome of one look at level α.

    * `regressed` if the loss is significant (p < α: its upper bound is below zero) and its mean exceeds the margin;
    * `ok` if the lower bound, mean − t(df, 1−α)·error, is above −margin;
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
