"""Task columns: a task or sequence with its contenders, their comparisons, ties and Pareto fronts."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..stats.estimates import CLAIM
from ..stats.multiplicity import Comparison, adjusted, benjamini_hochberg
from ..stats.noise import Noise, typical
from ..stats.pareto import front_chances, pareto
from ..stats.ranks import DRAWS
from ..stats.ties import possible_ranks, tie_groups
from ..suite.suite import margin_of
from .answer import Answer, answer_of, forgetting_sentences
from .contender import ExploratoryDifference, gain, not_comparable_sentences, score
from .differences import all_pairs, differences, family_of, with_baseline_differences, with_references

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..data.previews import Previews
    from ..records.record import Record
    from ..stats.estimates import Difference
    from ..stats.moderation import PairedFamily
    from ..suite.suite import Preference, Statistics
    from .contender import Contender
    from .errors.error_analysis import Errors

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
"""Costs that get a Pareto front of quality and cost, if they were measured."""

SECONDARY_SCORES = ("forgetting", "macro_f1", "exact_match", "spearman", "character_error_rate", "calibration_error")
"""Candidates for the secondary score of a task column, the most informative first."""


_MAX_DRAWN_POINTS, _MIN_DRAWS = 250_000, 1_000
"""Bounds of the bootstrap of fronts. The time grows with draws times points, and whole per cents need few draws."""
UNFINISHED = "missing"
"""Status of a planned trial without a record."""


@dataclass(frozen=True)
class Missing:
    """A trial without scores."""

    contender: str
    seed: int
    status: str
    kind: str
    message: str
    traceback: str | None


@dataclass(frozen=True)
class TaskColumn:
    """A task or sequence with all its contenders."""

    label: str
    modality: str
    primary: str
    """Name of the primary score."""
    secondary: str
    """Name of the secondary score; empty if there is none."""
    is_sequence: bool
    tasks: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]
    contenders: tuple[Contender, ...]
    """Best first; those without scores last."""
    baseline: str | None
    missing: tuple[Missing, ...]
    majority: Mapping[str, float]
    """Task → accuracy of always predicting the most common class of the test split."""
    notes: tuple[str, ...]
    """Notes on the data, such as `synthetic`."""
    verdict: tuple[str, ...]
    """Conclusions, in sentences."""
    margin: float
    """Largest difference of the primary score that does not matter; 0 if none is set."""
    comparisons: tuple[Comparison, ...]
    """All pairs of contenders on the primary score, better minus worse mean, Holm-corrected over all of them; then all
    pairs of a contender and a reference, corrected over these."""
    ties: tuple[tuple[str, ...], ...]
    """Groups that are statistically tied on this test set, best first; without contenders of too few seeds."""
    noise: Noise | None
    """Noise of differences to the baseline; None if unknown."""
    unit: str = "1"
    """Unit of the primary score."""
    answer: Answer = field(default_factory=Answer)
    """Which contenders could be the best, and the one to take."""
    references: tuple[Contender, ...] = ()
    """What the contenders are compared with but not ranked among, such as the untrained model."""
    errors: tuple[Errors, ...] = ()
    """Error analysis of each task that has classes."""
    exhibits: Mapping[str, Previews] = field(default_factory=dict)
    """Task → previews of test items, if they were requested."""


@dataclass(frozen=True)
class ColumnOptions:
    """Options for building task columns."""

    rank: Mapping[str, int]
    """Label of a task column or strategy → its position in the suite."""
    baseline: str | None
    """Label of the strategy that the others are compared with; None means `full`, or the first if there is none."""
    statistics: Statistics
    """Equivalence margins of the suite."""
    prefer: Preference = "memory"
    """Kind of cost that chooses among contenders that could be the best."""


def grouped(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return the records of one task column by label of contender; see `Contender.label`."""
    several = len({record.trial["backbone"]["label"] for record in records}) > 1
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        strategy, backbone = record.trial["strategy"]["label"], record.trial["backbone"]["label"]
        groups[f"{strategy} · {backbone}" if several else strategy].append(record)
    return dict(groups)


def build_column(
    label: str, records: Sequence[Record], contenders: Sequence[Contender], options: ColumnOptions
) -> TaskColumn:
    """Return a task column with all comparisons of its contenders.

    Args:
        label: label of the task column.
        records: all its records.
        contenders: all its contenders, in any order.
        options: baseline, order and margins.
    """
    first = records[0]
    primary, is_sequence = first.primary, len(first.trial["stages"]) > 1
    unit = next((c.quantities[primary].unit for c in contenders if primary in c.quantities), "1")
    margin = margin_of(options.statistics, label, primary, unit)
    everyone = sorted(
        contenders,
        key=lambda c: (
            score(c, primary) is None,
            bool(c.apart),
            -(gain(c, primary) or 0),
            options.rank.get(c.strategy, 0),
            c.label,
        ),
    )
    # If nothing was trained at all, the references are what is compared.
    ordered = [c for c in everyone if not c.is_reference] or [replace(c, is_reference=False) for c in everyone]
    references = tuple(c for c in everyone if c.is_reference) if len(ordered) < len(everyone) else ()
    ordered = _with_fronts(ordered, primary)
    baseline = _baseline(ordered, options.baseline, options.rank)
    ordered = with_baseline_differences(ordered, baseline, primary, margin)
    ordered = _with_exploratory(ordered, baseline, primary, partial(margin_of, options.statistics, label))
    equal = [c for c in ordered if not c.apart]
    comparisons = all_pairs(ordered, primary, margin)
    few = _with_too_few_seeds(comparisons, ordered, primary)
    known = [c.label for c in equal if score(c, primary) is not None and c.label not in few]
    answer = answer_of(
        equal,
        references,
        comparisons,
        _family(equal, primary),
        primary,
        prefer=options.prefer,
        baseline=baseline,
    )
    forgotten = forgetting_sentences([c for c in equal if score(c, primary) is not None]) if is_sequence else []
    return TaskColumn(
        label=label,
        modality=first.trial["modality"],
        primary=primary,
        secondary=_secondary_score(ordered, primary),
        is_sequence=is_sequence,
        tasks=tuple(stage["task"]["label"] for stage in first.trial["stages"]),
        classes={task: names for record in records for task, names in record.classes.items()},
        contenders=tuple(ordered),
        baseline=baseline,
        missing=_missing(grouped(records)),
        majority=_majority_accuracy(records),
        notes=tuple(
            dict.fromkeys(d["note"] for r in records for d in r.provenance.get("data", {}).values() if d["note"])
        ),
        verdict=(*answer.sentences, *forgotten, *not_comparable_sentences(ordered)),
        margin=margin,
        comparisons=(*comparisons, *with_references(equal, references, primary, margin)),
        ties=tie_groups(known, [(c.first, c.second) for c in comparisons if c.apart]),
        unit=unit,
        noise=typical(c.against_baseline for c in ordered if c.against_baseline is not None),
        answer=answer,
        references=references,
    )


def _family(contenders: Sequence[Contender], primary: str) -> PairedFamily | None:
    """Return the moderated differences of all contenders with a score, in their order; None without a pair."""
    scored = [c for c in contenders if score(c, primary) is not None]
    pairs = list(itertools.combinations(scored, 2))
    return family_of(scored, primary, pairs) if pairs else None


def _with_too_few_seeds(comparisons: Sequence[Comparison], contenders: Sequence[Contender], primary: str) -> set[str]:
    """Return labels of contenders with too few seeds for verdicts; both of a pair that shares too few seeds."""
    judged = {label for c in comparisons if c.difference.estimate.claimable for label in (c.first, c.second)}
    enough = judged | {c.label for c in contenders if len(contenders) == 1 and primary in c.quantities}
    short = {c.label for c in contenders} - enough
    pairs = [{c.first, c.second} for c in comparisons if c.difference.verdict == "too few seeds"]
    return short.union(*(pair for pair in pairs if not pair & short))


def _secondary_score(contenders: Sequence[Contender], primary: str) -> str:
    """Return the first of `SECONDARY_SCORES` that was measured and is not the primary score; empty if there is none."""
    given = {name for contender in contenders for name, quantity in contender.quantities.items() if quantity.estimate}
    return next((name for name in SECONDARY_SCORES if name in given and name != primary), "")


# ---- comparisons ---------------------------------------------------------------------------------------------------


def _baseline(contenders: Sequence[Contender], wanted: str | None, rank: Mapping[str, int]) -> str | None:
    scored = [c for c in contenders if c.statuses.get("ok") and not c.apart]
    for name in (wanted, "full"):
        for contender in scored:
            if name in (contender.label, contender.strategy):
                return contender.label
    return min(scored, key=lambda c: (rank.get(c.strategy, len(rank)), c.label)).label if scored else None


def differences_to_baseline(contenders: Sequence[Contender], primary: str) -> list[Difference]:
    """Return the uncorrected differences of all contenders to the default baseline, without references."""
    contenders = [c for c in contenders if not c.is_reference]
    baseline = _baseline(contenders, None, {})
    reference = next((c for c in contenders if c.label == baseline), None)
    if reference is None:
        return []
    found = differences([(reference, c) for c in contenders if c is not reference], primary)
    return [one for one in found if one is not None]


def _with_exploratory(
    contenders: Sequence[Contender], baseline: str | None, primary: str, margin: Callable[[str, str], float]
) -> list[Contender]:
    """Return contenders with baseline comparisons of all other measurements for which higher or lower is better."""
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
        for (_, other), one in zip(pairs, differences(pairs, name, margin(name, unit), contenders), strict=True):
            if one is not None and one.estimate.claimable:
                found[other.label, name] = one
    q = adjusted({key: one.p for key, one in found.items()}, benjamini_hochberg)
    explored: dict[str, dict[str, ExploratoryDifference]] = defaultdict(dict)
    for (label, name), one in found.items():
        explored[label][name] = ExploratoryDifference(one, q[label, name])
    return [replace(c, explored=explored[c.label]) for c in contenders]


def places_of(target: TaskColumn) -> dict[str, tuple[int, int]]:
    """Return the possible ranks of each contender that has enough seeds for a claim."""
    judged = {label for c in target.comparisons if c.difference.estimate.claimable for label in (c.first, c.second)}
    claimed = [c.label for c in target.contenders if c.label in judged]
    return possible_ranks(claimed, [(one.first, one.second) for one in target.comparisons if one.apart])


# ---- quality against cost ------------------------------------------------------------------------------------------


def _with_fronts(contenders: Sequence[Contender], primary: str) -> list[Contender]:
    fronts: dict[str, set[str]] = defaultdict(set)
    chances: dict[str, dict[str, float]] = defaultdict(dict)
    for cost in COSTS:
        measured = [
            c for c in contenders if not c.apart and score(c, primary) is not None and score(c, cost) is not None
        ]
        points = [(gain(c, primary) or 0.0, _benefit_sign(c, cost) * (score(c, cost) or 0.0)) for c in measured]
        for contender, on_front in zip(measured, pareto(points), strict=True):
            if on_front:
                fronts[contender.label].add(cost)
        for label, chance in _front_chances(measured, primary, cost).items():
            chances[label][cost] = chance
    return [replace(c, fronts=frozenset(fronts[c.label]), front_chances=chances[c.label]) for c in contenders]


def _front_chances(contenders: Sequence[Contender], primary: str, cost: str) -> dict[str, float]:
    """Return each contender's probability of being on the front, from shared seeds; empty with fewer than three."""
    known = [set(c.quantities[name].by_seed) for c in contenders for name in (primary, cost)]
    seeds = sorted(set.intersection(*known)) if known else []
    if len(seeds) < CLAIM or len(contenders) < 2:
        return {}
    quality = np.array([[c.quantities[primary].by_seed[seed] for c in contenders] for seed in seeds])
    if contenders[0].quantities[primary].direction == "lower":
        quality = -quality
    price = np.array(
        [[_benefit_sign(c, cost) * c.quantities[cost].by_seed[seed] for c in contenders] for seed in seeds]
    )
    found = front_chances(quality, price, draws=max(_MIN_DRAWS, min(DRAWS, _MAX_DRAWN_POINTS // len(contenders))))
    return {c.label: float(chance) for c, chance in zip(contenders, found, strict=True)}


def _benefit_sign(contender: Contender, name: str) -> int:
    """Return the sign that makes higher better; a cost without a direction is better if lower."""
    direction = contender.quantities[name].direction
    return 1 if direction == "higher" else -1


# ---- trials without scores, majority class -------------------------------------------------------------------------


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
    """Return a task column with rows for planned trials that have no record.

    Args:
        target: the task column built from its records.
        places: strategy, backbone and seed of each trial.
    """
    several = len({c.backbone for c in target.contenders} | {backbone for _, backbone, _ in places}) > 1
    more = tuple(
        Missing(f"{strategy} · {backbone}" if several else strategy, seed, UNFINISHED, "", "it has no record yet", None)
        for strategy, backbone, seed in places
    )
    return replace(target, missing=(*target.missing, *more)) if more else target


def _majority_accuracy(records: Iterable[Record]) -> dict[str, float]:
    found: dict[str, float] = {}
    for record in records:
        for task, matrix in record.confusion.items():
            sizes = [sum(row) for row in matrix]
            found[task] = max(sizes) / sum(sizes)
    return found
