"""Splits made from a seed: stratified, grouped, the same for every strategy and every trial seed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from ..errors import UserError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

Item = TypeVar("Item")


@dataclass(frozen=True)
class Example(Generic[Item]):
    """One item of a data set."""

    id: str
    """A name that stays the same across runs."""
    value: Item
    """What is encoded: a text, an image, a sound."""
    label: int
    """Its class, counted from 0."""


@dataclass(frozen=True)
class Splits(Generic[Item]):
    """The three splits of a task."""

    train: Sequence[Example[Item]]
    validation: Sequence[Example[Item]]
    test: Sequence[Example[Item]]

    def __getitem__(self, name: str) -> Sequence[Example[Item]]:
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def ids(self) -> dict[str, list[str]]:
        """Return the ids of each split, in order."""
        return {name: [example.id for example in self[name]] for name in ("train", "validation", "test")}

    def hash(self, names: Sequence[str] = ("train", "validation", "test")) -> str:
        """Hash ids and labels of splits, in order: of all by default."""
        digest = hashlib.sha256()
        for name in names:
            for identity, label in zip(*outline(self[name]), strict=True):
                digest.update(f"{name}\0{identity}\0{label}\n".encode())
        return digest.hexdigest()[:16]


def check_filled(splits: Splits[Any], names: Sequence[str] = ("train", "test")) -> None:
    """See that there is something to train on, and something to test on where that is asked for.

    Raises:
        UserError: a split is empty.
    """
    for name in ("train", "test"):
        if name in names and not splits[name]:
            raise UserError(f"no example is left for the {name} split; give more data, other ratios or fewer groups")


def outline(examples: Sequence[Example[Any]]) -> tuple[list[str], list[int]]:
    """Return ids and labels of many examples, without building the examples if the sequence knows them."""
    if hasattr(examples, "ids") and hasattr(examples, "labels"):
        return examples.ids(), examples.labels.tolist()
    return [example.id for example in examples], [example.label for example in examples]


def draw(
    examples: Sequence[Example[Item]],
    sizes: Mapping[str, int],
    seed: int,
    groups: Mapping[str, Hashable] | None = None,
) -> dict[str, list[Example[Item]]]:
    """Draw disjoint samples, each balanced over the classes, no group in two of them.

    Args:
        examples: what to draw from.
        sizes: sample name → how many examples; samples are filled in this order.
        seed: the same seed and examples give the same samples.
        groups: example id → group (a word family, a speaker, a document); by default each example is its own.

    Returns:
        Sample name → examples.

    Raises:
        UserError: a class runs out before a sample is full.
    """
    rng = np.random.default_rng(seed)
    families: dict[Hashable, list[Example[Item]]] = defaultdict(list)
    for example in examples:
        families[groups[example.id] if groups else example.id].append(example)
    keys = list(families)
    remaining = [families[keys[place]] for place in rng.permutation(len(keys))]
    classes = sorted({example.label for example in examples})
    drawn: dict[str, list[Example[Item]]] = {}
    for name, size in sizes.items():
        wanted = {label: size // len(classes) + (rank < size % len(classes)) for rank, label in enumerate(classes)}
        sample, remaining = _fill(remaining, wanted)
        short = next((label for label, number in wanted.items() if number), None)
        if short is not None:
            raise UserError(
                f"{name}_size: {size} examples are asked for, and class {short} is {wanted[short]} short; ask for fewer"
            )
        drawn[name] = [sample[place] for place in rng.permutation(len(sample))]
    return drawn


def _fill(
    families: list[list[Example[Item]]], wanted: dict[int, int]
) -> tuple[list[Example[Item]], list[list[Example[Item]]]]:
    """Take `wanted` examples from families, in order, counting it down; skip families that are not needed."""
    sample: list[Example[Item]] = []
    left = []
    for family in families:
        taken = [example for example in family if wanted[example.label]]
        if not taken:
            left.append(family)
            continue
        for example in taken:
            if wanted[example.label]:
                wanted[example.label] -= 1
                sample.append(example)
    return sample, left
