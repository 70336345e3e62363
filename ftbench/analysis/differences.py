"""Differences of contenders of one task column on shared seeds, and their corrected comparisons.

Differences of scores inform each other's variance.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..stats.estimates import CLAIM, MARGIN, Difference, all_paired, verdict_of
from ..stats.item_scores import Items, on_new_items
from ..stats.moderation import PairedFamily, of_family, paired_family
from ..stats.multiplicity import Comparison, corrected
from .contender import gain, score
from .metric_tiers import range_of, span_of_differences, tier_of
from .score_step import step_of_contenders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..stats.intervals import Range
    from .contender import Contender, Quantity

Pair = tuple["Contender", "Contender"]


def differences(
    pairs: Sequence[Pair], name: str, margin: float = MARGIN, among: Sequence[Contender] = ()
) -> list[Difference | None]:
    """Return the difference of each pair on its shared seeds, second minus first.

    None for pairs that share no seed, lack the measurement, or were tuned with different budgets. For a score with
    known items, the difference also covers new test items. Differences of scores are moderated by those of all pairs
    `among`; see `ftbench.stats.moderation`. Counts that are the same for every seed have no uncertainty: any difference
    is significant.

    Args:
        pairs: the baseline and the other contender of each.
        name: name of the measurement.
        margin: largest difference that does not matter, in the unit of the measurement.
        among: contenders of the task column; by default those of the pairs.
    """
    found: list[Difference | None] = [None] * len(pairs)
    chosen = [
        index
        for index, (first, second) in enumerate(pairs)
        if name in first.quantities and name in second.quantities and not _budgets_differ(first, second)
    ]
    by_direction: dict[str, list[int]] = defaultdict(list)
    for index in chosen:
        by_direction[pairs[index][0].quantities[name].direction].append(index)
    everyone = list({id(c): c for c in (*among, *(c for index in chosen for c in pairs[index]))}.values())
    for direction, indices in by_direction.items():
        own = [pairs[index] for index in indices]
        judged = (
            _moderated(own, everyone, name, margin, lower=direction == "lower")
            if tier_of(name, own[0][0].quantities[name]) == "quality"
            else _by_seeds(own, name, margin, lower=direction == "lower")
        )
        for index, one in zip(indices, judged, strict=True):
            found[index] = one
    return found


def difference(first: Contender, second: Contender, name: str, margin: float = MARGIN) -> Difference | None:
    """Return the difference of two contenders, second minus first; see `differences`."""
    (found,) = differences([(first, second)], name, margin)
    return found


def family_of(contenders: Sequence[Contender], name: str, pairs: Sequence[Pair]) -> PairedFamily:
    """Return the moderated paired differences of pairs of contenders in a score.

    References and contenders that were tuned with another budget do not inform the variance of the others.

    Args:
        contenders: all contenders whose variances inform each other, and those of the pairs.
        name: name of the score, which all of them have.
        pairs: the pairs to compare.
    """
    seeds = sorted({seed for c in contenders for seed in c.quantities[name].by_seed})
    table = np.array([[c.quantities[name].by_seed.get(seed, np.nan) for c in contenders] for seed in seeds], float)
    column = {id(c): number for number, c in enumerate(contenders)}
    first, second = (np.array([column[id(pair[side])] for pair in pairs], np.int64) for side in (0, 1))
    outside = [number for number, c in enumerate(contenders) if c.is_reference or c.apart]
    step = step_of_contenders(contenders, name)
    return paired_family(table.reshape(len(seeds), len(contenders)), first, second, step=step, outside=outside)


def range_of_quantity(quantity: Quantity) -> Range:
    """Return the range of a measurement of a contender."""
    return range_of(quantity.name, quantity.unit, quantity.direction, quantity.by_seed.values())


def _moderated(
    pairs: Sequence[Pair], among: Sequence[Contender], name: str, margin: float, *, lower: bool
) -> list[Difference | None]:
    everyone = [c for c in among if name in c.quantities and c.quantities[name].by_seed]
    known = [index for index, pair in enumerate(pairs) if all(c.quantities[name].by_seed for c in pair)]
    found: list[Difference | None] = [None] * len(pairs)
    if not known:
        return found
    own = [pairs[index] for index in known]
    for index, pair, one in zip(
        known, own, of_family(family_of(everyone, name, own), margin, lower=lower), strict=True
    ):
        if one is not None:
            shared = sorted(pair[0].quantities[name].by_seed.keys() & pair[1].quantities[name].by_seed.keys())
            found[index] = _inside(_with_items(one, pair, shared, name, lower=lower), pair[0].quantities[name])
    return found


def _by_seeds(pairs: Sequence[Pair], name: str, margin: float, *, lower: bool) -> list[Difference | None]:
    """Return unmoderated differences, vectorised over pairs that share the same seeds."""
    found: list[Difference | None] = [None] * len(pairs)
    by_seeds: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, (first, second) in enumerate(pairs):
        shared = first.quantities[name].by_seed.keys() & second.quantities[name].by_seed.keys()
        by_seeds[tuple(sorted(shared))].append(index)
    for seeds, indices in by_seeds.items():
        if seeds:
            baselines, others = (
                np.array([[pairs[i][side].quantities[name].by_seed[seed] for i in indices] for seed in seeds])
                for side in (0, 1)
            )
            for index, one in zip(indices, all_paired(baselines, others, margin, lower=lower), strict=True):
                found[index] = _with_exact_verdict(one, pairs[index], name, lower=lower)
    return found


def _with_exact_verdict(found: Difference, pair: Pair, name: str, *, lower: bool) -> Difference:
    exact = all(_is_exact_count(c.quantities[name]) for c in pair)
    if found.estimate.deviation == 0 and found.estimate.n >= CLAIM and exact:
        mean = found.estimate.mean
        return replace(found, p=0.0 if mean else 1.0, verdict=verdict_of(mean, 0, 0, found.margin, lower=lower))
    return found


def _with_items(found: Difference, pair: Pair, seeds: Sequence[int], name: str, *, lower: bool) -> Difference:
    """Return the difference of a score with its verdict on new test items, if they are known.

    If all seeds differ by the same amount and no other pair informs the variance, only the items show the uncertainty:
    their p-value and verdict are used for both.
    """
    first, second = pair
    first_items, second_items = (_items_of(c, seeds, name) for c in pair) if first.items and second.items else ((), ())
    if not len(first_items) == len(second_items) == len(seeds):
        unknown = first.unknown_items or second.unknown_items
        # Not `replace`, which looks up every field: this runs for thousands of differences.
        return Difference(found.estimate, found.p, found.verdict, found.margin, unknown=unknown) if unknown else found
    on_items = on_new_items(found, first_items, second_items, lower=lower)
    if isinstance(on_items, str):
        return replace(found, unknown=on_items)
    if not found.estimate.error and any(
        (a.values != b.values).any() for a, b in zip(first_items, second_items, strict=True)
    ):
        found = replace(found, p=on_items.p, verdict=on_items.verdict)
    return replace(found, new_items=on_items)


def _inside(found: Difference, quantity: Quantity) -> Difference:
    """Cut intervals at the largest difference that is possible."""
    span = span_of_differences(range_of_quantity(quantity))
    if span.low is None or span.high is None:
        return found
    estimate, on_items = found.estimate, found.new_items
    if (
        estimate.low is not None
        and estimate.high is not None
        and not (span.holds(estimate.low) and span.holds(estimate.high))
    ):
        found = replace(
            found, estimate=replace(estimate, low=max(estimate.low, span.low), high=min(estimate.high, span.high))
        )
    if on_items is not None and not (span.holds(on_items.interval.low) and span.holds(on_items.interval.high)):
        cut = replace(
            on_items.interval, low=max(on_items.interval.low, span.low), high=min(on_items.interval.high, span.high)
        )
        found = replace(found, new_items=replace(on_items, interval=cut))
    return found


def _items_of(contender: Contender, seeds: Sequence[int], name: str) -> list[Items]:
    return [contender.items[s] for s in seeds if s in contender.items and contender.items[s].metric == name]


def _budgets_differ(first: Contender, second: Contender) -> bool:
    """Return whether both were tuned, with different budgets."""
    return bool(first.budget and second.budget) and first.budget != second.budget


def _is_exact_count(quantity: Quantity) -> bool:
    """Return whether the quantity is a count that is the same for every seed, such as parameters; scores never are."""
    return quantity.unit != "1" and quantity.scope != "test" and len(set(quantity.by_seed.values())) == 1


# ---- corrected comparisons -----------------------------------------------------------------------------------------


def with_baseline_differences(
    contenders: Sequence[Contender], baseline: str | None, primary: str, margin: float
) -> list[Contender]:
    """Return contenders with their differences to the baseline, Holm-corrected over these.

    Args:
        contenders: all contenders of a task column.
        baseline: label of the baseline; None if there is none.
        primary: the score.
        margin: largest difference that does not matter.
    """
    reference = next((c for c in contenders if c.label == baseline), None)
    if reference is None:
        return list(contenders)
    pairs = [(reference, c) for c in contenders if c is not reference]
    found = zip(pairs, differences(pairs, primary, margin, contenders), strict=True)
    comparisons = {
        c.second: c
        for c in corrected({(reference.label, other.label): one for (_, other), one in found if one is not None})
    }
    return [
        replace(
            c,
            against_baseline=one.difference,
            against_interval=one.interval,
            against_by_seed=_by_seed(reference.quantities[primary], c.quantities[primary]),
            p_adjusted=one.p_adjusted,
            p_new_items=one.p_new_items,
        )
        if (one := comparisons.get(c.label))
        else c
        for c in contenders
    ]


def _by_seed(first: Quantity, second: Quantity) -> dict[int, float]:
    return {
        seed: value - first.by_seed[seed] for seed, value in sorted(second.by_seed.items()) if seed in first.by_seed
    }


def all_pairs(contenders: Sequence[Contender], primary: str, margin: float) -> list[Comparison]:
    """Return the comparisons of all pairs; the first of each pair has the worse mean."""
    scored = [c for c in contenders if score(c, primary) is not None]
    pairs = [(worse, better) for better, worse in itertools.combinations(scored, 2)]
    found = zip(pairs, differences(pairs, primary, margin, contenders), strict=True)
    return corrected({(worse.label, better.label): one for (worse, better), one in found if one is not None})


def with_references(
    contenders: Sequence[Contender], references: Sequence[Contender], primary: str, margin: float
) -> list[Comparison]:
    """Return the comparisons of all contenders with the references, a family of their own."""
    scored = [c for c in contenders if score(c, primary) is not None]
    known = [c for c in references if score(c, primary) is not None]
    pairs = [
        (one, other) if (gain(one, primary) or 0) <= (gain(other, primary) or 0) else (other, one)
        for one, other in itertools.product(known, scored)
    ]
    found = zip(pairs, differences(pairs, primary, margin, contenders), strict=True)
    return corrected({(worse.label, better.label): one for (worse, better), one in found if one is not None})
