"""Divide rows into training, validation and test: by shares or folds, optionally few-shot, keeping groups whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Division:
    """How to divide rows into splits."""

    ratios: tuple[float, float, float] = (0.7, 0.15, 0.15)
    """Shares of training, validation and test."""
    stratify: bool = True
    """Whether every split has the classes in the same shares."""
    folds: int = 0
    """Number of folds of a cross-validation; 0 divides by `ratios`."""
    fold: int = 0
    """Index of the fold that is the test split."""
    shots: int = 0
    """Number of training examples to keep of each class; 0 keeps all."""
    limit: float = 1.0
    """Share of every split to keep."""


def divide(
    division: Division, classes: NDArray[np.int64], groups: NDArray[np.int64] | None, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Divide all rows into splits.

    Args:
        division: how to divide them.
        classes: class of each row, shape [rows].
        groups: group of each row, shape [rows], or None if there are no groups; a row with -1 is a group by itself.
        seed: the same seed and rows give the same splits.

    Returns:
        Split → its rows, in random order.
    """
    rng = np.random.default_rng(seed)
    if division.folds:
        folds = distribute(classes, groups, [1.0] * division.folds, rng, stratify=division.stratify)
        test = folds[division.fold]
        rest = np.sort(np.concatenate([rows for number, rows in enumerate(folds) if number != division.fold]))
        shares = division.ratios[:2]
        parts = distribute(
            classes[rest], None if groups is None else groups[rest], shares, rng, stratify=division.stratify
        )
        found = {"train": rest[parts[0]], "validation": rest[parts[1]], "test": test}
    else:
        parts = distribute(classes, groups, division.ratios, rng, stratify=division.stratify)
        found = dict(zip(SPLITS, parts, strict=True))
    return reduced(division, found, classes, rng)


def reduced(
    division: Division, found: dict[str, NDArray[np.int64]], classes: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """Reduce every split to the share `limit`, then training to `shots` examples per class; shuffle every split.

    Raises:
        UserError: a class has fewer training examples than `shots`.
    """
    found = {name: rng.permutation(rows) for name, rows in found.items()}
    if division.limit < 1:
        found = {
            name: rows[: max(1, round(division.limit * len(rows)))] if len(rows) else rows
            for name, rows in found.items()
        }
    if division.shots:
        kept = []
        for label in np.unique(classes[found["train"]]):
            rows = found["train"][classes[found["train"]] == label]
            if len(rows) < division.shots:
                raise UserError(f"shots: class {label} has {len(rows)} training examples, fewer than {division.shots}")
            kept.append(rows[: division.shots])
        found["train"] = rng.permutation(np.concatenate(kept))
    return found


def distribute(
    classes: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
    shares: Sequence[float],
    rng: np.random.Generator,
    *,
    stratify: bool,
) -> list[NDArray[np.int64]]:
    """Distribute rows over parts in the given shares, keeping groups whole; the rows of each part are sorted.

    Groups are assigned in random order, larger ones first, each to the part that is furthest behind its share of the
    classes in the group. If there are few groups, the first part gets one first, then the last, then the others.
    """
    kinds = classes if stratify else np.zeros_like(classes)
    if groups is None:
        return _distribute_rows(kinds, shares, rng)
    rows_of = _rows_of_groups(groups)
    order = sorted(rng.permutation(len(rows_of)).tolist(), key=lambda number: -len(rows_of[number]))
    missing = np.outer(np.asarray(shares) / sum(shares), np.bincount(kinds + 1)).astype(float)
    parts: list[list[int]] = [[] for _ in shares]
    first = [part for part in (0, len(shares) - 1, *range(1, len(shares) - 1)) if shares[part] > 0]
    for left, number in zip(range(len(order), 0, -1), order, strict=True):
        counts = np.bincount(kinds[rows_of[number]] + 1, minlength=missing.shape[1])
        behind = (missing * counts).sum(1)
        empty = [part for part in first if not parts[part]]
        part = empty[0] if left <= len(empty) else int(np.argmax(np.where(np.asarray(shares) > 0, behind, -np.inf)))
        missing[part] -= counts
        parts[part].extend(rows_of[number].tolist())
    return [np.sort(np.array(part, np.int64)) for part in parts]


def _distribute_rows(
    kinds: NDArray[np.int64], shares: Sequence[float], rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Distribute the shuffled rows of each class over the parts."""
    parts: list[list[NDArray[np.int64]]] = [[] for _ in shares]
    for index, kind in enumerate(np.unique(kinds)):
        rows = rng.permutation(np.flatnonzero(kinds == kind))
        cuts = np.cumsum(_counts(len(rows), shares, index)).tolist()
        for part, begin, end in zip(parts, [0, *cuts], cuts, strict=False):
            part.append(rows[begin:end])
    return [np.sort(np.concatenate(part)) if part else np.zeros(0, np.int64) for part in parts]


def _counts(rows: int, shares: Sequence[float], index: int) -> list[int]:
    """Return the number of rows of one class in each part; of few rows, the first part gets one, then the last."""
    # Each class is rounded with another offset, so that rounding errors cancel instead of adding up.
    offset = (0.5 + index * 0.618034) % 1
    edges = np.floor(np.cumsum(shares) / sum(shares) * rows + offset).astype(int)
    edges[-1] = rows
    counts: list[int] = np.diff(edges, prepend=0).tolist()
    for part in (0, len(shares) - 1, *range(1, len(shares) - 1)):
        donor = max(range(len(counts)), key=counts.__getitem__)
        if shares[part] > 0 and counts[part] == 0 and (counts[donor] > 1 or (part == 0 and counts[donor])):
            counts[donor] -= 1
            counts[part] += 1
    return counts


def _rows_of_groups(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows of each group; a row without a group is a group by itself."""
    order = np.argsort(groups, kind="stable")
    values = groups[order]
    alone = [np.array([row]) for row in order[values == -1]]
    named = order[values != -1]
    edges = np.flatnonzero(np.diff(groups[named])) + 1
    return alone + [rows for rows in np.split(named, edges) if len(rows)]
