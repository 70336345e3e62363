"""Where a task's answers go wrong: class by class, how sure they were, which items, and for which kind of item."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..stats.estimates import estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from ..stats.estimates import Estimate

    Lines: TypeAlias = Mapping[int, Sequence[Mapping[str, Any]]]
    """Seed → the predictions of one trial on one task, a mapping an item."""

BINS = 10
"""Bins of confidence, of equal width."""
SHOWN = 6
"""Mistakes that are listed of a task."""
PARTS = 3
"""Kinds of items by size of class, and by length of input."""


@dataclass(frozen=True)
class ClassScores:
    """How one class fared, counts summed over seeds."""

    name: str
    support: int
    """Test items of the class, times seeds."""
    precision: float | None
    """None where it was never answered."""
    recall: float | None
    """None where it does not occur."""
    f1: float | None


@dataclass(frozen=True)
class Bin:
    """Answers given with about the same probability, over all seeds."""

    count: int
    confidence: float
    """Mean probability of the answers."""
    right: float
    """Share of right ones."""


@dataclass(frozen=True)
class Mistake:
    """A test item that was answered wrongly."""

    id: str
    label: int
    prediction: int
    """The wrong answer given with the highest probability."""
    confidence: float
    """That probability."""
    wrong: int
    """Seeds that went wrong on it."""
    of: int
    """Seeds."""


@dataclass(frozen=True)
class Slice:
    """Some of the test items, and how everyone fared on them."""

    by: str
    """What they have in common: `class size` or `input length`."""
    name: str
    items: int
    scores: Mapping[str, Estimate]
    """Contender → share of right answers, over seeds."""


@dataclass(frozen=True)
class Errors:
    """The errors made on one task."""

    task: str
    classes: Mapping[str, tuple[ClassScores, ...]]
    """Contender → its classes."""
    calibration: Mapping[str, tuple[Bin, ...]] = field(default_factory=dict)
    """Contender → its bins of confidence, the empty ones left out."""
    leader: str = ""
    """Whose mistakes are listed: the best who has any."""
    mistakes: tuple[Mistake, ...] = ()
    """The most confident ones, an item once."""
    slices: tuple[Slice, ...] = ()


def class_scores(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[ClassScores, ...]:
    """Give precision, recall and F1 of each class, 2PR/(P + R).

    Args:
        matrix: counts, row = true class, column = answer, shape [classes, classes].
        names: of the classes; their numbers where there are none.
    """
    counts = np.asarray(matrix, float)
    found = []
    for place, (true, said, right) in enumerate(zip(counts.sum(1), counts.sum(0), counts.diagonal(), strict=True)):
        name = names[place] if place < len(names) else str(place)
        precision, recall = float(right / said) if said else None, float(right / true) if true else None
        f1 = float(2 * right / (true + said)) if true + said else None
        found.append(ClassScores(name, int(true), precision, recall, f1))
    return tuple(found)


def usable(lines: Mapping[str, Lines]) -> dict[str, dict[int, Sequence[Mapping[str, Any]]]]:
    """Leave out the trials whose predictions do not name classes and how likely each is."""
    found = {label: {seed: one for seed, one in by_seed.items() if _is_usable(one)} for label, by_seed in lines.items()}
    return {label: by_seed for label, by_seed in found.items() if by_seed}


def errors_of(
    task: str, confusion: Mapping[str, Sequence[Sequence[int]]], names: Sequence[str], lines: Mapping[str, Lines]
) -> Errors:
    """Look into the errors made on one task.

    Args:
        task: its label.
        confusion: contender → counts over all seeds, best contender first.
        names: of the classes.
        lines: contender → seed → predictions, each with `id`, `label`, `prediction` and `probabilities`; best contender first. See
            `usable`.
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
        slices=tuple(_by_class_size(lines)),
    )


def _is_usable(found: Sequence[Mapping[str, Any]]) -> bool:
    return bool(found) and all(_has_probabilities(line) for line in found)


def _has_probabilities(line: Mapping[str, Any]) -> bool:
    """Tell whether a line names classes and how likely each is; it may come from anywhere."""
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
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    inside = [place == number for number in range(BINS)]
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
    return tuple(sorted(found, key=lambda one: (-one.confidence, one.id))[:SHOWN])


# ---- kinds of items ------------------------------------------------------------------------------------------------------


def _by_class_size(lines: Mapping[str, Lines]) -> list[Slice]:
    """Part the items by how many share their class; nothing where all classes are about as large."""
    labels = _first(lines, lambda line: line["label"])
    sizes: dict[int, int] = defaultdict(int)
    for label in labels.values():
        sizes[label] += 1
    if not sizes or max(sizes.values()) < 1.5 * min(sizes.values()):
        return []
    values = {identity: float(sizes[label]) for identity, label in labels.items()}
    return _parted("class size", values, lines, "items", sorted(map(float, sizes.values())))


def by_length(lines: Mapping[str, Lines], lengths: Mapping[str, float]) -> list[Slice]:
    """Part the items by the length of their input; nothing where there are too few different ones.

    Args:
        lines: see `errors_of`.
        lengths: id → length, where that is known and means anything.
    """
    return (
        _parted("input length", lengths, lines, "letters", sorted(lengths.values()))
        if len(set(lengths.values())) >= PARTS
        else []
    )


def _first(lines: Mapping[str, Lines], read: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    return {str(line["id"]): read(line) for by_seed in lines.values() for found in by_seed.values() for line in found}


def _parted(
    by: str, values: Mapping[str, float], lines: Mapping[str, Lines], unit: str, ordered: Sequence[float]
) -> list[Slice]:
    """Part the items at the terciles of `ordered`; parts that would be empty are left out."""
    edges = sorted({ordered[math.ceil(len(ordered) * part / PARTS) - 1] for part in range(1, PARTS + 1)})
    found, below = [], -math.inf
    for edge in edges:
        inside = {identity for identity, value in values.items() if below < value <= edge}
        least = min(values[identity] for identity in inside)
        span = f"{least:g}" if least == edge else f"{least:g} to {edge:g}"
        scores = {label: score for label, by_seed in lines.items() if (score := _score(by_seed, inside)) is not None}
        found.append(Slice(by, f"{span} {unit}".strip(), len(inside), scores))
        below = edge
    return found if len(found) > 1 else []


def _score(by_seed: Lines, inside: set[str]) -> Estimate | None:
    shares = [[not _is_wrong(line) for line in found if str(line["id"]) in inside] for found in by_seed.values()]
    return estimate([float(np.mean(share)) for share in shares]) if shares and all(shares) else None
