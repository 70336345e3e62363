"""Error analysis of a task: scores per class, calibration, most confident mistakes, and accuracy on slices."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...stats.estimates import estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from ...stats.estimates import Estimate

    Lines: TypeAlias = Mapping[int, Sequence[Mapping[str, Any]]]
    """Seed → predictions of one trial on one task, one mapping per item."""

BINS = 10
"""Number of confidence bins, of equal width."""
MAX_MISTAKES = 6
"""Largest number of mistakes listed for a task."""
SLICES = 3
"""Largest number of slices by class size, and by input length."""


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class, from counts summed over seeds."""

    name: str
    support: int
    """Number of test items of the class, times seeds."""
    precision: float | None
    """None if the class was never predicted."""
    recall: float | None
    """None if the class does not occur."""
    f1: float | None
    """None if the class does not occur and was never predicted."""


@dataclass(frozen=True)
class Bin:
    """Predictions of similar confidence, over all seeds."""

    count: int
    confidence: float
    """Mean probability of the predictions."""
    right: float
    """Share of correct predictions."""


@dataclass(frozen=True)
class Mistake:
    """A test item that was predicted wrongly."""

    id: str
    label: int
    prediction: int
    """Wrong prediction of the highest probability over seeds."""
    confidence: float
    """That probability."""
    wrong: int
    """Number of seeds that predict the item wrongly."""
    of: int
    """Number of seeds."""


@dataclass(frozen=True)
class Slice:
    """A subset of the test items, with the accuracy of each contender on it."""

    by: str
    """Criterion of the subset: `class size` or `input length`."""
    name: str
    items: int
    scores: Mapping[str, Estimate]
    """Contender → accuracy, over seeds."""


@dataclass(frozen=True)
class Errors:
    """Error analysis of one task."""

    task: str
    classes: Mapping[str, tuple[ClassScores, ...]]
    """Contender → scores of its classes."""
    calibration: Mapping[str, tuple[Bin, ...]] = field(default_factory=dict)
    """Contender → its non-empty confidence bins."""
    leader: str = ""
    """Contender whose mistakes are listed: the best one that made any."""
    mistakes: tuple[Mistake, ...] = ()
    """Most confident mistakes of the leader, at most one per item."""
    slices: tuple[Slice, ...] = ()


def class_scores(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[ClassScores, ...]:
    """Compute precision P, recall R and F1 = 2PR/(P + R) of each class.

    Args:
        matrix: confusion matrix, row = true class, column = predicted class, shape [classes, classes].
        names: class names; a class without a name is named by its number.
    """
    counts = np.asarray(matrix, float)
    scores = []
    for number, (true, predicted, right) in enumerate(
        zip(counts.sum(1), counts.sum(0), counts.diagonal(), strict=True)
    ):
        name = names[number] if number < len(names) else str(number)
        precision, recall = float(right / predicted) if predicted else None, float(right / true) if true else None
        f1 = float(2 * right / (true + predicted)) if true + predicted else None
        scores.append(ClassScores(name, int(true), precision, recall, f1))
    return tuple(scores)


def with_probabilities(lines: Mapping[str, Lines]) -> dict[str, dict[int, Sequence[Mapping[str, Any]]]]:
    """Return only the trials whose predictions all have a class and class probabilities."""
    found = {
        label: {seed: one for seed, one in by_seed.items() if _all_with_probabilities(one)}
        for label, by_seed in lines.items()
    }
    return {label: by_seed for label, by_seed in found.items() if by_seed}


def errors_of(
    task: str, confusion: Mapping[str, Sequence[Sequence[int]]], names: Sequence[str], lines: Mapping[str, Lines]
) -> Errors:
    """Analyse the errors made on one task.

    Args:
        task: label of the task.
        confusion: contender → confusion matrix over all seeds, best contender first.
        names: class names.
        lines: contender → seed → predictions, each with `id`, `label`, `prediction` and `probabilities`; best contender
            first. See `with_probabilities`.
    """
    leader = next(
        (label for label, seeds in lines.items() if any(_is_wrong(line) for found in seeds.values() for line in found)),
        "",
    )
    return Errors(
        task=task,
        classes={label: class_scores(matrix, names) for label, matrix in confusion.items()},
        calibration={
            label: _bins([line for found in seeds.values() for line in found]) for label, seeds in lines.items()
        },
        leader=leader,
        mistakes=_mistakes(lines[leader]) if leader else (),
        slices=tuple(_slices_by_class_size(lines)),
    )


def _all_with_probabilities(found: Sequence[Mapping[str, Any]]) -> bool:
    return bool(found) and all(_has_probabilities(line) for line in found)


def _has_probabilities(line: Mapping[str, Any]) -> bool:
    """Return whether a prediction has a class and class probabilities; the file may come from an untrusted source."""
    shares = line.get("probabilities")
    if (
        not isinstance(shares, list)
        or not shares
        or not all(isinstance(share, int | float) and 0 <= share <= 1 for share in shares)
    ):
        return False
    return all(isinstance(line.get(name), int) and 0 <= line[name] < len(shares) for name in ("label", "prediction"))


def _is_wrong(line: Mapping[str, Any]) -> bool:
    return bool(line["label"] != line["prediction"])


def _bins(lines: Sequence[Mapping[str, Any]]) -> tuple[Bin, ...]:
    confidence = np.array([max(line["probabilities"]) for line in lines])
    right = np.array([not _is_wrong(line) for line in lines])
    bin_of_line = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    inside = [bin_of_line == number for number in range(BINS)]
    return tuple(Bin(int(i.sum()), float(confidence[i].mean()), float(right[i].mean())) for i in inside if i.any())


def _mistakes(by_seed: Lines) -> tuple[Mistake, ...]:
    wrong: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for seed in sorted(by_seed):
        for line in by_seed[seed]:
            if _is_wrong(line):
                wrong[str(line["id"])].append(line)
    found = []
    for identity, lines in wrong.items():
        worst = max(lines, key=lambda line: max(line["probabilities"]))
        found.append(
            Mistake(
                identity, worst["label"], worst["prediction"], max(worst["probabilities"]), len(lines), len(by_seed)
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.confidence, one.id))[:MAX_MISTAKES])


# ---- slices --------------------------------------------------------------------------------------------------------


def _slices_by_class_size(lines: Mapping[str, Lines]) -> list[Slice]:
    """Return slices by class size; none if all classes have about the same size."""
    labels = _by_item(lines, lambda line: line["label"])
    sizes: dict[int, int] = defaultdict(int)
    for label in labels.values():
        sizes[label] += 1
    if not sizes or max(sizes.values()) < 1.5 * min(sizes.values()):
        return []
    values = {identity: float(sizes[label]) for identity, label in labels.items()}
    return _slices("class size", values, lines, "items", sorted(map(float, sizes.values())))


def slices_by_length(lines: Mapping[str, Lines], lengths: Mapping[str, float]) -> list[Slice]:
    """Return slices by input length; none if there are too few different lengths.

    Args:
        lines: see `errors_of`.
        lengths: id → length, for items of which the length is known and meaningful.
    """
    return (
        _slices("input length", lengths, lines, "letters", sorted(lengths.values()))
        if len(set(lengths.values())) >= SLICES
        else []
    )


def _by_item(lines: Mapping[str, Lines], read: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    return {str(line["id"]): read(line) for by_seed in lines.values() for found in by_seed.values() for line in found}


def _slices(
    by: str, values: Mapping[str, float], lines: Mapping[str, Lines], unit: str, ordered: Sequence[float]
) -> list[Slice]:
    """Return slices of the items, split at the terciles of `ordered`; empty slices are left out."""
    edges = sorted({ordered[math.ceil(len(ordered) * part / SLICES) - 1] for part in range(1, SLICES + 1)})
    found, below = [], -math.inf
    for edge in edges:
        inside = {identity for identity, value in values.items() if below < value <= edge}
        least = min(values[identity] for identity in inside)
        span = f"{least:g}" if least == edge else f"{least:g} to {edge:g}"
        scores = {label: score for label, by_seed in lines.items() if (score := _accuracy(by_seed, inside)) is not None}
        found.append(Slice(by, f"{span} {unit}".strip(), len(inside), scores))
        below = edge
    return found if len(found) > 1 else []


def _accuracy(by_seed: Lines, inside: set[str]) -> Estimate | None:
    shares = [[not _is_wrong(line) for line in found if str(line["id"]) in inside] for found in by_seed.values()]
    return estimate([float(np.mean(share)) for share in shares]) if shares and all(shares) else None
