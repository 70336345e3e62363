"""A strategy on a backbone, for one target, over its seeds: a row of every table."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..stats.estimates import CLAIM, MARGIN, Difference, Estimate, Interval, all_paired, judged
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
    """None where no seed has a value."""
    reason: str | None
    """Why there is no value."""
    flags: tuple[str, ...]
    by_seed: Mapping[int, float]
    scope: str = ""
    """What it covers."""
    total: float | None = None
    """The sum over all trials, those that failed too, of what is spent for good; None where one of them was not measured."""
    new_items: Interval | None = None
    """The 95 % interval of the mean over other seeds and other test items; None for what is no score, and where `unknown` says why."""
    unknown: str = ""
    """Why nothing is said about other test items."""


@dataclass(frozen=True)
class LossPoint:
    """The task's training loss at a step, over the seeds that reached it."""

    step: float
    mean: float
    least: float
    most: float
    seconds: float
    """Seconds of training until then, the mean over those seeds."""


@dataclass(frozen=True)
class Explored:
    """A measurement beside the primary one against the baseline: something to look into, no claim."""

    difference: Difference
    """The contender's less the baseline's."""
    q: float | None
    """Its p-value, adjusted over all such comparisons of the target by Benjamini and Hochberg; None where it has none."""


@dataclass(frozen=True)
class Contender:
    """A strategy on a backbone, for one target, over its seeds."""

    label: str
    """The strategy's label; with the backbone's where the target has several."""
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
    """Task → the task's training loss over the steps."""
    confusion: Mapping[str, tuple[tuple[int, ...], ...]]
    """Task → counts, summed over seeds."""
    phases: Mapping[str, Estimate]
    """Phase → seconds."""
    retention: tuple[tuple[Estimate | None, ...], ...] = ()
    """Of a sequence: row i holds the primary score of each task after learning task i; None where it was not yet learnt."""
    items: Mapping[int, Items] = field(default_factory=dict, repr=False)
    """Seed → what each test item adds to the primary score; seeds for which that is known."""
    unknown_items: str = ""
    """Why it is not known for one of the seeds."""
    against_baseline: Difference | None = None
    """Paired difference of the primary metric to the baseline; its words stand after the correction for many comparisons."""
    against_by_seed: Mapping[int, float] = field(default_factory=dict)
    """Seed → the difference it is the mean of."""
    p_adjusted: float | None = None
    """Its p-value, Holm-corrected over the target's comparisons with the baseline."""
    p_new_items: float | None = None
    """The same of the difference on new test items."""
    explored: Mapping[str, Explored] = field(default_factory=dict)
    """Name → any other measurement that can be better or worse, against the baseline."""
    fronts: frozenset[str] = frozenset()
    """Costs on whose Pareto front it stands."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Dotted name → value as JSON: of its backbone, its strategy and its training; of a sequence, the last stage's."""
    use: str = ""
    """Name of the plugin's strategy, whatever the suite labels it."""
    front_chances: Mapping[str, float] = field(default_factory=dict)
    """Cost → probability of standing on its front with other seeds, by paired bootstrap; none under three shared seeds."""

    budget: str = ""
    """What it was tuned with, in words; empty where it was not, or has nothing to tune."""
    apart: str = ""
    """Why it is not compared with the others; empty where it is."""

    @property
    def name(self) -> str:
        """The label."""
        return self.label


def difference(first: Contender, second: Contender, name: str, margin: float = MARGIN) -> Difference | None:
    """Compare two contenders on the seeds they share; None where they share none, or were tuned with unequal budgets.

    Of the score whose items are known it says what holds on new test items too. Where the seeds all differ by the same, the items
    alone tell how sure that is, and their p-value and verdict stand for both. Counts that are the same for every seed differ for sure.

    Args:
        first: the baseline.
        second: the other.
        name: of the measurement.
        margin: the largest difference that does not matter, in its unit.
    """
    (found,) = differences([(first, second)], name, margin)
    return found


def differences(
    pairs: Sequence[tuple[Contender, Contender]], name: str, margin: float = MARGIN
) -> list[Difference | None]:
    """Compare many pairs, those on the same seeds all at once; see `difference`."""
    found: list[Difference | None] = [None] * len(pairs)
    alike: dict[tuple[bool, tuple[int, ...]], list[int]] = defaultdict(list)
    for place, (first, second) in enumerate(pairs):
        if name in first.quantities and name in second.quantities and not _unequal(first, second):
            mine, theirs = first.quantities[name], second.quantities[name]
            alike[mine.direction == "lower", tuple(sorted(mine.by_seed.keys() & theirs.by_seed.keys()))].append(place)
    for (lower, seeds), places in alike.items():
        if seeds:
            chosen = [pairs[place] for place in places]
            scores = [
                [[c.quantities[name].by_seed[seed] for c in side] for seed in seeds]
                for side in zip(*chosen, strict=True)
            ]
            of_seeds = all_paired(np.array(scores[0]), np.array(scores[1]), margin, lower=lower)
            for place, pair, one in zip(places, chosen, of_seeds, strict=True):
                found[place] = _with_items(one, pair, seeds, name, lower=lower)
    return found


def _with_items(
    found: Difference, pair: tuple[Contender, Contender], seeds: Sequence[int], name: str, *, lower: bool
) -> Difference:
    """Say what the seeds do not: that counts differ for sure, and what holds on new test items."""
    first, second = pair
    if found.estimate.deviation == 0 and found.estimate.n >= CLAIM and all(_is_exact(c.quantities[name]) for c in pair):
        mean = found.estimate.mean
        return replace(found, p=0.0 if mean else 1.0, verdict=judged(mean, 0, 0, found.margin, lower=lower))
    mine, theirs = (_items(c, seeds, name) for c in pair) if first.items and second.items else ((), ())
    if not len(mine) == len(theirs) == len(seeds):
        unknown = first.unknown_items or second.unknown_items
        # Written out: thousands of differences are made here, and `replace` looks every field up.
        return Difference(found.estimate, found.p, found.verdict, found.margin, unknown=unknown) if unknown else found
    beyond = on_new_items(found, mine, theirs, lower=lower)
    if isinstance(beyond, str):
        return replace(found, unknown=beyond)
    if found.estimate.deviation == 0 and any((a.values != b.values).any() for a, b in zip(mine, theirs, strict=True)):
        found = replace(found, p=beyond.p, verdict=beyond.verdict)
    return replace(found, new_items=beyond)


def _items(contender: Contender, seeds: Sequence[int], name: str) -> list[Items]:
    return [contender.items[s] for s in seeds if s in contender.items and contender.items[s].metric == name]


def _unequal(first: Contender, second: Contender) -> bool:
    """Tell whether both were tuned, and not alike."""
    return bool(first.budget and second.budget) and first.budget != second.budget


def _is_exact(quantity: Quantity) -> bool:
    """Tell whether it is a count that is the same for every seed, such as parameters; a score is never one."""
    return quantity.unit != "1" and quantity.scope != "test" and len(set(quantity.by_seed.values())) == 1


def score(contender: Contender, name: str) -> float | None:
    """Give the mean of a measurement; None where it was not taken."""
    found = contender.quantities.get(name)
    return found.estimate.mean if found and found.estimate else None


def gain(contender: Contender, name: str) -> float | None:
    """Give the mean of a measurement, its sign turned where lower is better; None where it was not taken."""
    found = score(contender, name)
    return -found if found is not None and contender.quantities[name].direction == "lower" else found


def with_budgets(contenders: Sequence[Contender], budgets: Mapping[tuple[str, str], str]) -> list[Contender]:
    """Note what everyone of a target was tuned with, and who stands apart: those whose budget is not that of the most.

    Args:
        contenders: in the order of the suite.
        budgets: backbone and strategy → budget; who is not in it had nothing to tune, and may be compared with all.
    """
    noted = [
        replace(contender, budget=budgets.get((contender.backbone, contender.strategy), "")) for contender in contenders
    ]
    counts = Counter(contender.budget for contender in noted if contender.budget)
    if len(counts) < 2:
        return noted
    usual = counts.most_common(1)[0][0]
    return [
        replace(contender, apart=f"tuned with {contender.budget}, the others with {usual}")
        if contender.budget not in ("", usual)
        else contender
        for contender in noted
    ]


def apart_sentences(contenders: Sequence[Contender]) -> tuple[str, ...]:
    """Say who is not compared, and why."""
    reasons = dict.fromkeys(contender.apart for contender in contenders if contender.apart)
    return tuple(
        f"Not comparable: {joined([contender.label for contender in contenders if contender.apart == reason])}, {reason}."
        for reason in reasons
    )
