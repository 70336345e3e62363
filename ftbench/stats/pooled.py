"""Mean change of all configurations together, which shows what no single one of them can."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .estimates import ALPHA, MIN_SIGN_FLIPS, Estimate, half_width

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

POOLING = 0.1
"""p-value of an F-test below which seeds are taken to shift all configurations together. At .25, as Bancroft (1964)
recommends for a test before pooling, a quarter of all clear changes would be judged by the few seeds alone; at .05,
weak shared effects would remain unseen more often."""


_ROUNDING = 1e-12


@dataclass(frozen=True)
class Cell:
    """Changes of one score of one configuration."""

    block: str
    """The task column: cells of one block have a common mean."""
    gains: Mapping[int, float]
    """Seed → head minus base, with the sign that makes higher better."""
    step: float = 0.0
    """Smallest possible change of the score; 0 if unknown."""


def pool(cells: Sequence[Cell]) -> Estimate | None:
    """Estimate the mean change over all cells; None if they are too few.

    The variance of the mean is that between the cells of a block, Σ k_b·s_b²/K², with Satterthwaite's degrees of
    freedom. Where an F-test shows at p < `POOLING` that a seed shifts all cells of a block alike, the mean square of
    the seeds replaces that of the residual. With one seed this cannot be seen, so there must be six cells.

    Args:
        cells: one per configuration; each has at least one gain.

    Returns:
        The mean with its error; `n` is the number of cells, `deviation` that between them.
    """
    blocks = _blocks(cells)
    count = len(cells)
    df = count - len(blocks)
    if df < 2 or (count < MIN_SIGN_FLIPS and max(len(cell.gains) for cell in cells) < 2):
        return None
    parts = [(_between(block), len(block) - 1.0) for block in blocks]
    mean = math.fsum(_mean(cell) for cell in cells) / count
    deviation = math.sqrt(sum(variance * free for variance, free in parts) / df)
    shares = [(len(block) * variance / count**2, free) for block, (variance, free) in zip(blocks, parts, strict=True)]
    variance, free = _sum_of_variances(shares)
    of_seeds = _of_seeds(blocks, count)
    if of_seeds is not None and of_seeds[0] > variance:
        variance, free = of_seeds
    found = Estimate(mean, count, None, None, deviation, math.sqrt(variance), max(free, 1.0))
    half = half_width(found, ALPHA / 2)
    return Estimate(mean, count, mean - half, mean + half, deviation, found.error, found.df)


def _blocks(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Group cells by block; those that are alone in theirs form one together."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.block, []).append(cell)
    alone = [block[0] for block in found.values() if len(block) == 1]
    blocks = [block for block in found.values() if len(block) > 1]
    if len(alone) == 1 and blocks:
        blocks[-1] = [*blocks[-1], *alone]
    elif alone:
        blocks.append(alone)
    return blocks


def _mean(cell: Cell) -> float:
    return math.fsum(cell.gains.values()) / len(cell.gains)


def _between(block: Sequence[Cell]) -> float:
    """Return the variance between the means of cells, at least what one step of the score allows."""
    least = math.fsum(cell.step**2 / len(cell.gains) for cell in block) / len(block)
    means = np.array([_mean(cell) for cell in block])
    return max(_without_rounding(float(means.var(ddof=1)), means), least)


def _sum_of_variances(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the sum of independent variances and its degrees of freedom (Satterthwaite 1946)."""
    total = math.fsum(variance for variance, _ in parts)
    if total == 0:
        return 0.0, math.fsum(free for _, free in parts)
    return total, total**2 / math.fsum(variance**2 / free for variance, free in parts if free)


def _of_seeds(blocks: Sequence[Sequence[Cell]], count: int) -> tuple[float, float] | None:
    """Return the variance of the mean by the seeds that shift all cells alike, and its degrees of freedom.

    None if no block has two seeds that all of its cells share, or if seeds do not visibly shift them.
    """
    from scipy.special import fdtrc

    tables = [table for block in blocks if (table := _table(block)).shape[1] > 1]
    if not tables:
        return None
    sums = [_sums_of_squares(table) for table in tables]
    seeds, residual = (math.fsum(one[place] for one in sums) for place in (0, 1))
    df_seeds = sum(table.shape[1] - 1 for table in tables)
    df_residual = sum((table.shape[0] - 1) * (table.shape[1] - 1) for table in tables)
    if seeds == 0 or (
        residual > 0 and fdtrc(df_seeds, df_residual, (seeds / df_seeds) / (residual / df_residual)) >= POOLING
    ):
        return None
    parts = [
        (own / (table.shape[1] - 1) * len(table) / (table.shape[1] * count**2), table.shape[1] - 1.0)
        for table, (own, _) in zip(tables, sums, strict=True)
    ]
    return _sum_of_variances(parts)


def _table(block: Sequence[Cell]) -> NDArray[np.float64]:
    """Return the gains of a block on the seeds that all of its cells have, shape [cells, seeds]."""
    shared = sorted(set.intersection(*(set(cell.gains) for cell in block)))
    return np.array([[cell.gains[seed] for seed in shared] for cell in block])


def _sums_of_squares(table: NDArray[np.float64]) -> tuple[float, float]:
    """Return the sums of squares of seeds, and of the residual, of a two-way table."""
    mean, seeds = table.mean(), table.mean(0)
    residual = table - table.mean(1, keepdims=True) - seeds + mean
    sums = float(len(table) * ((seeds - mean) ** 2).sum()), float((residual**2).sum())
    return _without_rounding(sums[0], table), _without_rounding(sums[1], table)


def _without_rounding(variance: float, values: NDArray[np.float64]) -> float:
    """Return zero for a variance that is only rounding of the values."""
    return variance if variance > _ROUNDING**2 * max(1.0, float(np.abs(values).max()) ** 2) else 0.0
