"""A task or a sequence with everyone who took part: compared, tied, and set against what they cost."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..stats.estimates import CLAIM
from ..stats.multiplicity import Comparison, adjusted, benjamini_hochberg, corrected
from ..stats.noise import Noise, typical
from ..stats.pareto import front_chances, pareto
from ..stats.ranks import DRAWS
from ..stats.ties import places, tie_groups
from ..suite.suite import margin_of
from .conclusions import verdict
from .contender import Explored, apart_sentences, differences, gain, score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..data.previews import Previews
    from ..records.record import Record
    from ..stats.estimates import Difference
    from ..suite.suite import Statistics
    from .contender import Contender, Quantity
    from .error_analysis import Errors

COSTS = (
    "trainable_parameters",
    "peak_host_memory",
    "peak_allocated_memory",
    "peak_device_memory",
    "peak_tensor_bytes",
    "flops_per_step",
    "throughput",
    "energy",
    "cost",
)
"""The measurements quality is drawn against, where they were taken."""

BESIDE = ("forgetting", "macro_f1", "exact_match", "spearman", "character_error_rate", "calibration_error")
"""Scores that may stand beside a primary one, the most telling first."""


_DRAWN, _FEWEST_DRAWS = 250_000, 1_000
"""Points on drawn fronts in all, and draws at least: a chance is told in per cent, and a hundred points take a hundred times as long."""
UNFINISHED = "missing"
"""The status of a trial that was planned and has no record."""


@dataclass(frozen=True)
class Missing:
    """A trial without scores: a row of its own."""

    contender: str
    seed: int
    status: str
    kind: str
    message: str
    traceback: str | None


@dataclass(frozen=True)
class TaskColumn:
    """A task or a sequence with everyone who took part."""

    label: str
    modality: str
    primary: str
    beside: str
    """The score that stands beside the primary one; empty where there is none."""
    is_sequence: bool
    tasks: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]
    contenders: tuple[Contender, ...]
    """Best first; those without scores last."""
    baseline: str | None
    missing: tuple[Missing, ...]
    majority: Mapping[str, float]
    """Task → accuracy of always naming the commonest class of the test split."""
    notes: tuple[str, ...]
    """Such as `synthetic`."""
    verdict: tuple[str, ...]
    """What can be concluded, in sentences."""
    margin: float
    """The largest difference of the primary score that does not matter; 0 where none is said."""
    comparisons: tuple[Comparison, ...]
    """All pairs on the primary score, better less worse mean, Holm-corrected over all of them."""
    ties: tuple[tuple[str, ...], ...]
    """Groups within which nothing is told apart on this test set, best first; without those who have too few seeds for that."""
    noise: Noise | None
    """How far differences to the baseline scatter over seeds; None where nothing is known of it."""
    unit: str = "1"
    """Of the primary score."""
    errors: tuple[Errors, ...] = ()
    """What goes wrong, task by task; for tasks with classes."""
    exhibits: Mapping[str, Previews] = field(default_factory=dict)
    """Task → test items to look at, where they were asked for."""


@dataclass(frozen=True)
class View:
    """How a target is looked at."""

    rank: Mapping[str, int]
    """Label of a target or strategy → its place in the suite."""
    baseline: str | None
    """Label of the strategy the others are compared with; None takes `full`, or the first."""
    statistics: Statistics
    """The suite's margins of equivalence."""


def grouped(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Group the records of one target by contender: the strategy's label, with the backbone's where there are several."""
    several = len({record.trial["backbone"]["label"] for record in records}) > 1
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        strategy, backbone = record.trial["strategy"]["label"], record.trial["backbone"]["label"]
        groups[f"{strategy} · {backbone}" if several else strategy].append(record)
    return dict(groups)


def target_of(label: str, records: Sequence[Record], contenders: Sequence[Contender], view: View) -> TaskColumn:
    """Compare everyone of a target.

    Args:
        label: its name.
        records: all of its.
        contenders: everyone, in any order.
        view: how it is looked at.
    """
    first = records[0]
    primary, is_sequence = first.primary, len(first.trial["stages"]) > 1
    unit = next((c.quantities[primary].unit for c in contenders if primary in c.quantities), "1")
    margin = margin_of(view.statistics, label, primary, unit)
    ordered = sorted(
        contenders,
        key=lambda c: (
            score(c, primary) is None,
            bool(c.apart),
            -(gain(c, primary) or 0),
            view.rank.get(c.strategy, 0),
            c.label,
        ),
    )
    ordered = _with_fronts(ordered, primary)
    baseline = _baseline(ordered, view.baseline, view.rank)
    ordered = _against(ordered, baseline, primary, margin)
    ordered = _explored(ordered, baseline, primary, partial(margin_of, view.statistics, label))
    comparisons = _all_pairs(ordered, primary, margin)
    few = _short(comparisons, ordered, primary)
    equal = [c for c in ordered if not c.apart]
    known = [c.label for c in equal if score(c, primary) is not None and c.label not in few]
    return TaskColumn(
        label=label,
        modality=first.trial["modality"],
        primary=primary,
        beside=_beside(ordered, primary),
        is_sequence=is_sequence,
        tasks=tuple(stage["task"]["label"] for stage in first.trial["stages"]),
        classes={task: names for record in records for task, names in record.classes.items()},
        contenders=tuple(ordered),
        baseline=baseline,
        missing=_missing(grouped(records)),
        majority=_majority(records),
        notes=tuple(
            dict.fromkeys(d["note"] for r in records for d in r.provenance.get("data", {}).values() if d["note"])
        ),
        verdict=(*verdict(equal, primary, comparisons, is_sequence=is_sequence), *apart_sentences(ordered)),
        margin=margin,
        comparisons=tuple(comparisons),
        ties=tie_groups(known, [(c.first, c.second) for c in comparisons if c.apart]),
        unit=unit,
        noise=typical(c.against_baseline for c in ordered if c.against_baseline is not None),
    )


def _short(comparisons: Sequence[Comparison], contenders: Sequence[Contender], primary: str) -> set[str]:
    """Name those with too few seeds to be told apart; of two with enough seeds and too few in common, both."""
    enough = {c.label for c in contenders if primary in c.quantities and len(c.quantities[primary].by_seed) >= CLAIM}
    short = {c.label for c in contenders} - enough
    pairs = [{c.first, c.second} for c in comparisons if c.difference.verdict == "too few seeds"]
    return short.union(*(pair for pair in pairs if not pair & short))


def _beside(contenders: Sequence[Contender], primary: str) -> str:
    """Choose what stands beside the primary metric: forgetting, or else the first of `BESIDE` that the task gives."""
    given = {name for contender in contenders for name, quantity in contender.quantities.items() if quantity.estimate}
    return next((name for name in BESIDE if name in given and name != primary), "")


# ---- compared ------------------------------------------------------------------------------------------------------------


def _baseline(contenders: Sequence[Contender], wanted: str | None, rank: Mapping[str, int]) -> str | None:
    scored = [c for c in contenders if c.statuses.get("ok") and not c.apart]
    for name in (wanted, "full"):
        for contender in scored:
            if name in (contender.label, contender.strategy):
                return contender.label
    return min(scored, key=lambda c: (rank.get(c.strategy, len(rank)), c.label)).label if scored else None


def differences_to_baseline(contenders: Sequence[Contender], primary: str) -> list[Difference]:
    """Give the differences of everyone to the baseline that is taken where nobody names one, before any correction."""
    baseline = _baseline(contenders, None, {})
    reference = next((c for c in contenders if c.label == baseline), None)
    if reference is None:
        return []
    found = differences([(reference, c) for c in contenders if c is not reference], primary)
    return [one for one in found if one is not None]


def _against(contenders: Sequence[Contender], baseline: str | None, primary: str, margin: float) -> list[Contender]:
    reference = next((c for c in contenders if c.label == baseline), None)
    if reference is None:
        return list(contenders)
    pairs = [(reference, c) for c in contenders if c is not reference]
    found = zip(pairs, differences(pairs, primary, margin), strict=True)
    comparisons = {
        c.second: c
        for c in corrected({(reference.label, other.label): one for (_, other), one in found if one is not None})
    }
    return [
        replace(
            c,
            against_baseline=one.difference,
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


def _all_pairs(contenders: Sequence[Contender], primary: str, margin: float) -> list[Comparison]:
    """Compare all pairs, the one with the worse mean first."""
    scored = [c for c in contenders if score(c, primary) is not None]
    pairs = [(worse, better) for better, worse in itertools.combinations(scored, 2)]
    found = zip(pairs, differences(pairs, primary, margin), strict=True)
    return corrected({(worse.label, better.label): one for (worse, better), one in found if one is not None})


def _explored(
    contenders: Sequence[Contender], baseline: str | None, primary: str, margin: Callable[[str, str], float]
) -> list[Contender]:
    """Compare everything else that can be better or worse with the baseline."""
    reference = next((c for c in contenders if c.label == baseline), None)
    if reference is None:
        return list(contenders)
    found = {}
    pairs = [(reference, c) for c in contenders if c is not reference]
    units = {
        name: q.unit
        for c in contenders
        for name, q in c.quantities.items()
        if q.direction != "none" and name != primary
    }
    for name, unit in units.items():
        for (_, other), one in zip(pairs, differences(pairs, name, margin(name, unit)), strict=True):
            if one is not None and one.estimate.n >= CLAIM:
                found[other.label, name] = one
    q = adjusted({key: one.p for key, one in found.items()}, benjamini_hochberg)
    explored: dict[str, dict[str, Explored]] = defaultdict(dict)
    for (label, name), one in found.items():
        explored[label][name] = Explored(one, q[label, name])
    return [replace(c, explored=explored[c.label]) for c in contenders]


def places_of(target: TaskColumn) -> dict[str, tuple[int, int]]:
    """Give the places each contender may hold on a target; nobody with fewer seeds than a claim needs."""
    scores = {c.label: q.estimate for c in target.contenders if (q := c.quantities.get(target.primary)) is not None}
    claimed = [label for label, found in scores.items() if found is not None and found.n >= CLAIM]
    return places(claimed, [(one.first, one.second) for one in target.comparisons if one.apart])


# ---- against their price -------------------------------------------------------------------------------------------------


def _with_fronts(contenders: Sequence[Contender], primary: str) -> list[Contender]:
    fronts: dict[str, set[str]] = defaultdict(set)
    chances: dict[str, dict[str, float]] = defaultdict(dict)
    for cost in COSTS:
        there = [c for c in contenders if not c.apart and score(c, primary) is not None and score(c, cost) is not None]
        points = [(gain(c, primary) or 0.0, _worth(c, cost) * (score(c, cost) or 0.0)) for c in there]
        for contender, on_front in zip(there, pareto(points), strict=True):
            if on_front:
                fronts[contender.label].add(cost)
        for label, chance in _chances(there, primary, cost).items():
            chances[label][cost] = chance
    return [replace(c, fronts=frozenset(fronts[c.label]), front_chances=chances[c.label]) for c in contenders]


def _chances(contenders: Sequence[Contender], primary: str, cost: str) -> dict[str, float]:
    """Give the chance of each to stand on the front, over the seeds that all of them have; nothing under three."""
    known = [set(c.quantities[name].by_seed) for c in contenders for name in (primary, cost)]
    seeds = sorted(set.intersection(*known)) if known else []
    if len(seeds) < CLAIM or len(contenders) < 2:
        return {}
    quality = np.array([[c.quantities[primary].by_seed[seed] for c in contenders] for seed in seeds])
    if contenders[0].quantities[primary].direction == "lower":
        quality = -quality
    price = np.array([[_worth(c, cost) * c.quantities[cost].by_seed[seed] for c in contenders] for seed in seeds])
    found = front_chances(quality, price, draws=max(_FEWEST_DRAWS, min(DRAWS, _DRAWN // len(contenders))))
    return {c.label: float(chance) for c, chance in zip(contenders, found, strict=True)}


def _worth(contender: Contender, name: str) -> int:
    """Give the sign that makes higher better: a cost is lower the better, unless it says otherwise."""
    direction = contender.quantities[name].direction
    return 1 if direction == "higher" else -1


# ---- what else there is --------------------------------------------------------------------------------------------------


def _missing(groups: Mapping[str, Sequence[Record]]) -> tuple[Missing, ...]:
    return tuple(
        Missing(
            label,
            record.trial["seed"],
            record.status,
            record.failure.kind if record.failure else "",
            record.failure.message if record.failure else "",
            record.failure.traceback if record.failure else None,
        )
        for label, group in groups.items()
        for record in sorted(group, key=lambda r: r.trial["seed"])
        if record.status != "ok"
    )


def with_unfinished(target: TaskColumn, places: Sequence[tuple[str, str, int]]) -> TaskColumn:
    """Add rows for trials that were planned and have no record.

    Args:
        target: as its records make it.
        places: strategy, backbone and seed of each.
    """
    several = len({c.backbone for c in target.contenders} | {backbone for _, backbone, _ in places}) > 1
    more = tuple(
        Missing(f"{strategy} · {backbone}" if several else strategy, seed, UNFINISHED, "", "it has no record yet", None)
        for strategy, backbone, seed in places
    )
    return replace(target, missing=(*target.missing, *more)) if more else target


def _majority(records: Iterable[Record]) -> dict[str, float]:
    found: dict[str, float] = {}
    for record in records:
        for task, matrix in record.confusion.items():
            sizes = [sum(row) for row in matrix]
            found[task] = max(sizes) / sum(sizes)
    return found
