"""What each example adds to a score that is no mean over examples, such as F1 or a word error rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DIGITS = 6
"""Digits that are kept of what an example adds."""


def pseudo_values(
    parts: NDArray[np.float64], measure: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> list[float | None]:
    """Give jackknife pseudo-values N·θ − (N − 1)·θ₍₋ᵢ₎ of a score that depends on sums over examples (Tukey 1958; Miller 1974, eq. 1.1).

    Their mean is the score but for a bias of the order 1/N, and their spread over examples that of the score over test sets. Of a
    mean over examples they are the examples' own scores.

    Args:
        parts: what each example adds to the sums, shape [examples, …].
        measure: turns sums of shape [m, …] into m scores; NaN where a score is undefined.

    Returns:
        One value an example; None for all where the score is undefined with or without one of them.
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
    """Give the first part over the second, such as errors over words; shape [m, 2] to [m]."""
    found: NDArray[np.float64] = parts[..., 0] / parts[..., 1]
    return found


def f1(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give 2·right/(said + true); shape [m, 3] to [m], or [m, classes, 3] to [m, classes]."""
    found: NDArray[np.float64] = 2 * parts[..., 0] / (parts[..., 1] + parts[..., 2])
    return found


def macro_f1(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean F1 over classes that occur or are said; shape [m, classes, 3] to [m]."""
    there = parts[..., 1] + parts[..., 2] > 0
    found: NDArray[np.float64] = np.where(there, f1(parts), 0.0).sum(-1) / there.sum(-1)
    return found


def pearson(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give Pearson's correlation of sums n, x, y, x², y², xy; shape [m, 6] to [m]."""
    n, x, y, xx, yy, xy = np.moveaxis(parts, -1, 0)
    found: NDArray[np.float64] = (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))
    return found


def moments(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give what each pair of numbers adds to the sums of `pearson`, both centred, for the digits; shape [examples, 6]."""
    x, y = one - one.mean(), other - other.mean()
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
