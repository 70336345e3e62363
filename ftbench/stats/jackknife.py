"""Per-example contributions to scores that are not means over examples, such as F1 or a word error rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DIGITS = 6
"""Decimal digits to which contributions are rounded."""


def pseudo_values(
    parts: NDArray[np.float64], measure: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> list[float | None]:
    """Return the jackknife pseudo-values of a score that depends on sums over examples.

    The pseudo-value of example i is N·θ − (N − 1)·θ₍₋ᵢ₎ (Tukey 1958; Miller 1974, eq. 1.1). The mean of the
    pseudo-values is the score, up to a bias of order 1/N. Their spread over examples estimates the spread of the score
    over test sets. If the score is a mean over examples, they are the scores of the examples.

    Args:
        parts: what each example adds to the sums, shape [examples, …].
        measure: computes m scores from sums of shape [m, …]; NaN for an undefined score.

    Returns:
        One value per example. All are None if the score is undefined for all examples, or without one of them.
    """
    parts = np.asarray(parts, float)
    count, total = len(parts), parts.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole, without = measure(total[None])[0], measure(total - parts)
    values = count * whole - (count - 1) * without
    if count < 2 or not np.isfinite(values).all():
        return [None] * count
    return [round(float(value), DIGITS) for value in values]


def ratio(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first part divided by the second, such as errors by words; shape [m, 2] to [m]."""
    found: NDArray[np.float64] = parts[..., 0] / parts[..., 1]
    return found


def f1(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F1 = 2·correct/(predicted + true); shape [m, 3] to [m], or [m, classes, 3] to [m, classes]."""
    found: NDArray[np.float64] = 2 * parts[..., 0] / (parts[..., 1] + parts[..., 2])
    return found


def macro_f1(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean F1 over classes that occur or are predicted; shape [m, classes, 3] to [m]."""
    occurs = parts[..., 1] + parts[..., 2] > 0
    found: NDArray[np.float64] = np.where(occurs, f1(parts), 0.0).sum(-1) / occurs.sum(-1)
    return found


def pearson(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's correlation from the sums n, x, y, x², y², xy; shape [m, 6] to [m]."""
    n, x, y, xx, yy, xy = np.moveaxis(parts, -1, 0)
    found: NDArray[np.float64] = (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))
    return found


def moments(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each pair of numbers adds to the sums of `pearson`, shape [examples, 6].

    Both numbers are centred first, for numerical precision.
    """
    x, y = one - one.mean(), other - other.mean()
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
