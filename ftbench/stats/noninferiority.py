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

    If the error is zero, it is 0 for a loss and 1 otherwise: only values that move continuously may be compared
    without the floor of `moderated`.

    Args:
        gains: estimate of paired differences, head minus base, with the sign that makes higher better.
    """
    if gains.deviation is None:
        return None
    if (gains.deviation if gains.error is None else gains.error) == 0:
        return 0.0 if gains.mean < 0 else 1.0
    return one_sided_p(replace(gains, mean=-gains.mean))


def moderated(gains: Sequence[Estimate], steps: Sequence[float] = ()) -> list[Estimate]:
    """Return gains of the same score whose errors are informed by the variances of all; see `ftbench.stats.moderation`.

    On a small test set a few seeds lose the same number of items by chance, so no variance is below the square of one
    step of the score. Without a step, gains that are all equal have no error: nothing says how they would vary.

    Args:
        gains: one estimate per configuration.
        steps: smallest possible change of each score, such as 1/N for an accuracy on N items; 0 if unknown.
    """
    least = [*steps] or [0.0] * len(gains)
    found = [_floored(one, step) for one, step in zip(gains, least, strict=True)]
    noisy = [place for place, one in enumerate(found) if one.deviation is not None and _variance(one)]
    if len(noisy) < 3:
        return found
    variances = np.array([_variance(found[place]) for place in noisy])
    shrunk, free = moderated_variances(variances, np.array([found[place].n - 1.0 for place in noisy]), 0.0)
    for place, variance, df in zip(noisy, shrunk.tolist(), free.tolist(), strict=True):
        found[place] = _with_error(found[place], max(math.sqrt(variance), least[place]), df)
    return found


def _floored(gains: Estimate, step: float) -> Estimate:
    """Return an estimate whose error is at least that of a standard deviation of one step."""
    if gains.deviation is None or gains.deviation >= step:
        return gains
    return _with_error(gains, step, gains.n - 1.0)


def _variance(gains: Estimate) -> float:
    return gains.error**2 * gains.n if gains.error is not None else (gains.deviation or 0.0) ** 2


def _with_error(gains: Estimate, deviation: float, df: float) -> Estimate:
    one = replace(gains, error=deviation / math.sqrt(gains.n), df=df)
    half = half_width(one, ALPHA / 2)
    return replace(one, low=one.mean - half, high=one.mean + half)


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
