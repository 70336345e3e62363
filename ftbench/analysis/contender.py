"""Contenders: a strategy on a backbone in one task column, over its seeds; the rows of every table."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..stats.estimates import CLAIM, MARGIN, Difference, Estimate, Interval, all_paired, verdict_of
from ..stats.item_scores import Items, on_new_items
from .wording import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Quantity:
    """One measurement of one contender over its seeds."""

    name: str
    unit: str
    direction: str
    method: str
    estimate: Estimate | None
    """None if no seed has a value."""
    reason: str | None
    """Why there is no value."""
    flags: tuple[str, ...]
    by_seed: Mapping[int, float]
    """Seed → value."""
    scope: str = ""
    """What the measurement covers."""
    total: float | None = None
    """Sum over all trials, failed ones included, of consumed resources; None if a trial was not measured."""
    new_items: Interval | None = None
    """95 % interval of the mean over new seeds and new test items; None for measurements that are not scores, and if it
    is unknown, see `unknown`."""
    unknown: str = ""
    """Why the interval on new test items is unknown."""


@dataclass(frozen=True)
class LossPoint:
    """Training loss of the task at a step, over the seeds that reached the step."""

    step: float
    mean: float
    least: float
    most: float
    seconds: float
    """Seconds of training up to the step, mean over those seeds."""


@dataclass(frozen=True)
class ExploratoryDifference:
    """Exploratory comparison of a secondary measurement with the baseline; not a claim."""

    difference: Difference
    """Contender minus baseline."""
    q: float | None
    """p-value after the correction of Benjamini and Hochberg over all such comparisons of the task column; None if the
    difference has no p-value."""


@dataclass(frozen=True)
class Contender:
    """A strategy on a backbone in one task column, over its seeds."""

    label: str
    """Label of the strategy, followed by that of the backbone if the task column has several."""
    strategy: str
    backbone: str
    statuses: Mapping[str, int]
    """Status → number of seeds."""
    quantities: Mapping[str, Quantity]
    """Name → measurement of the whole trial."""
    by_task: Mapping[str, Mapping[str, Quantity]]
    """Task of a sequence → name → measurement."""
    lr: float | None
    """Learning rate of the last stage."""
    learning: Mapping[str, tuple[LossPoint, ...]]
    """Task → training loss over the steps."""
    confusion: Mapping[str, tuple[tuple[int, ...], ...]]
    """Task → confusion matrix, summed over seeds."""
    phases: Mapping[str, Estimate]
    """Phase → seconds."""
    retention: tuple[tuple[Estimate | None, ...], ...] = ()
    """Sequences only: row i has the primary score of each task after training on task i; None for tasks not yet
    trained."""
    items: Mapping[int, Items] = field(default_factory=dict, repr=False)
    """Seed → per-item scores of the primary score; only seeds for which they are known."""
    unknown_items: str = ""
    """Why the per-item scores of some seed are unknown."""
    against_baseline: Difference | None = None
    """Paired difference of the primary score to the baseline; its verdict is corrected for multiple comparisons."""
    against_by_seed: Mapping[int, float] = field(default_factory=dict)
    """Seed → difference to the baseline."""
    p_adjusted: float | None = None
    """p-value of that difference, Holm-corrected over the comparisons of the task column with the baseline."""
    p_new_items: float | None = None
    """Holm-corrected p-value of the difference on new test items."""
    explored: Mapping[str, ExploratoryDifference] = field(default_factory=dict)
    """Name of each secondary measurement with a direction (`higher` or `lower` is better) → its comparison with the
    baseline."""
    fronts: frozenset[str] = frozenset()
    """Costs for which the contender is on the Pareto front."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Dotted name → value as JSON: settings of backbone, strategy and training (the last stage of a sequence)."""
    use: str = ""
    """Name of the strategy in its plugin, regardless of its label in the suite."""
    front_chances: Mapping[str, float] = field(default_factory=dict)
    """Cost → probability of being on its Pareto front with other seeds, by paired bootstrap; empty with fewer than
    three shared seeds."""

    budget: str = ""
    """Tuning budget, in words; empty if it was not tuned or has nothing to tune."""
    apart: str = ""
    """Why it is not compared with the others; empty if it is."""

    @property
    def name(self) -> str:
        """Label of the contender."""
        return self.label


def difference(first: Contender, second: Contender, name: str, margin: float = MARGIN) -> Difference | None:
    """Return the difference of two contenders on their shared seeds; None if they share none or their budgets differ.

    For a score with known items, the difference also covers new test items. If all seeds differ by the same amount,
    only the items show the uncertainty, so their p-value and verdict are used for both. Counts that are the same for
    every seed have no uncertainty: any difference is significant.

    Args:
        first: the baseline.
        second: the other contender.
        name: name of the measurement.
        margin: largest difference that does not matter, in the unit of the measurement.
    """
    (found,) = differences([(first, second)], name, margin)
    return found


def differences(
    pairs: Sequence[tuple[Contender, Contender]], name: str, margin: float = MARGIN
) -> list[Difference | None]:
    """Return the differences of many pairs, vectorised over pairs that share the same seeds; see `difference`."""
    found: list[Difference | None] = [None] * len(pairs)
    by_seeds: dict[tuple[bool, tuple[int, ...]], list[int]] = defaultdict(list)
    for index, (first, second) in enumerate(pairs):
        if name in first.quantities and name in second.quantities and not _budgets_differ(first, second):
            first_quantity, second_quantity = first.quantities[name], second.quantities[name]
            by_seeds[
                first_quantity.direction == "lower",
                tuple(sorted(first_quantity.by_seed.keys() & second_quantity.by_seed.keys())),
            ].append(index)
    for (lower, seeds), indices in by_seeds.items():
        if seeds:
            chosen = [pairs[index] for index in indices]
            scores = [
                [[c.quantities[name].by_seed[seed] for c in side] for seed in seeds]
                for side in zip(*chosen, strict=True)
            ]
            of_seeds = all_paired(np.array(scores[0]), np.array(scores[1]), margin, lower=lower)
            for index, pair, one in zip(indices, chosen, of_seeds, strict=True):
                found[index] = _with_items(one, pair, seeds, name, lower=lower)
    return found


def _with_items(
    found: Difference, pair: tuple[Contender, Contender], seeds: Sequence[int], name: str, *, lower: bool
) -> Difference:
    """Return the difference with what seeds alone do not show: exact verdicts on counts, and new test items."""
    first, second = pair
    if (
        found.estimate.deviation == 0
        and found.estimate.n >= CLAIM
        and all(_is_exact_count(c.quantities[name]) for c in pair)
    ):
        mean = found.estimate.mean
        return replace(found, p=0.0 if mean else 1.0, verdict=verdict_of(mean, 0, 0, found.margin, lower=lower))
    first_items, second_items = (_items_of(c, seeds, name) for c in pair) if first.items and second.items else ((), ())
    if not len(first_items) == len(second_items) == len(seeds):
        unknown = first.unknown_items or second.unknown_items
        # Not `replace`, which looks up every field: this runs for thousands of differences.
        return Difference(found.estimate, found.p, found.verdict, found.margin, unknown=unknown) if unknown else found
    on_items = on_new_items(found, first_items, second_items, lower=lower)
    if isinstance(on_items, str):
        return replace(found, unknown=on_items)
    if found.estimate.deviation == 0 and any(
        (a.values != b.values).any() for a, b in zip(first_items, second_items, strict=True)
    ):
        found = replace(found, p=on_items.p, verdict=on_items.verdict)
    return replace(found, new_items=on_items)


def _items_of(contender: Contender, seeds: Sequence[int], name: str) -> list[Items]:
    return [contender.items[s] for s in seeds if s in contender.items and contender.items[s].metric == name]


def _budgets_differ(first: Contender, second: Contender) -> bool:
    """Return whether both were tuned, with different budgets."""
    return bool(first.budget and second.budget) and first.budget != second.budget


def _is_exact_count(quantity: Quantity) -> bool:
    """Return whether the quantity is a count that is the same for every seed, such as parameters; scores never are."""
    return quantity.unit != "1" and quantity.scope != "test" and len(set(quantity.by_seed.values())) == 1


def score(contender: Contender, name: str) -> float | None:
    """Return the mean of a measurement; None if it was not measured."""
    found = contender.quantities.get(name)
    return found.estimate.mean if found and found.estimate else None


def gain(contender: Contender, name: str) -> float | None:
    """Return the mean of a measurement, negated if lower is better; None if it was not measured."""
    found = score(contender, name)
    return -found if found is not None and contender.quantities[name].direction == "lower" else found


def with_budgets(contenders: Sequence[Contender], budgets: Mapping[tuple[str, str], str]) -> list[Contender]:
    """Return contenders with their tuning budgets; those without the most common budget are marked as not comparable.

    Args:
        contenders: all contenders of a task column, in the order of the suite.
        budgets: backbone and strategy → budget; contenders without an entry had nothing to tune, and are comparable
            with all.
    """
    budgeted = [
        replace(contender, budget=budgets.get((contender.backbone, contender.strategy), "")) for contender in contenders
    ]
    counts = Counter(contender.budget for contender in budgeted if contender.budget)
    if len(counts) < 2:
        return budgeted
    usual = counts.most_common(1)[0][0]
    return [
        replace(contender, apart=f"tuned with {contender.budget}, the others with {usual}")
        if contender.budget not in ("", usual)
        else contender
        for contender in budgeted
    ]


def not_comparable_sentences(contenders: Sequence[Contender]) -> tuple[str, ...]:
    """Return a sentence for each reason why contenders are not comparable."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for contender in contenders:
        if contender.apart:
            by_reason[contender.apart].append(contender.label)
    return tuple(f"Not comparable: {joined(labels)}, {reason}." for reason, labels in by_reason.items())
