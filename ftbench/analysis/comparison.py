"""Comparison of two runs, or of the strategies of one run, by configuration and metric, on the seeds they share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..api.measurement import LARGEST, disturbances
from ..errors import NotComparable, RunError
from ..records.comparability import configuration_differences, differences, without
from ..stats.effect_size import effect
from ..stats.estimates import ALPHA, MARGIN, Estimate, estimate, judged, paired, paired_differences
from ..stats.moderation import of_family, paired_family
from ..stats.multiplicity import SIGNIFICANT, adjusted
from ..stats.noninferiority import moderated
from ..stats.pooled import Cell, pool
from .metric_tiers import needed, tier_of
from .score_step import step_of_records
from .together import place_of_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..api.measurement import Measurement
    from ..records.comparability import Difference
    from ..records.record import Record
    from ..records.record_set import Place, RecordSet
    from ..stats.effect_size import Effect
    from ..stats.estimates import Verdict

    Pairing = tuple[Place, str, list[tuple[Record, Record]]]
    Reading = tuple[tuple[Record, Record], Measurement, Measurement]

Scale = Literal["points", "ratio", "exact"]
RATIO = 0.01
"""Equivalence margin of costs: relative differences below one per cent do not matter."""
COSTS = ("trainable_parameters", "flops_per_step", "peak_tensor_bytes", "throughput", "peak_allocated_memory")
"""Costs that are compared by default, along with the primary scores."""


@dataclass(frozen=True)
class Asked:
    """Options of a comparison."""

    metrics: tuple[str, ...] = ()
    """Names of the metrics; by default the primary score of each task column and a few costs."""
    allowed: tuple[str, ...] = ()
    """Dotted names of fields that may differ."""
    margin: float = MARGIN
    """Largest difference of a score that does not matter."""


@dataclass(frozen=True)
class Row:
    """Comparison of one metric for one configuration, second minus first."""

    place: Place
    """Configuration of the second."""
    against: str
    """Name of the first: a run, or a strategy of the same run."""
    metric: str
    unit: str
    scale: Scale
    """`points`: differences of scores; `ratio`: relative differences, from logarithms; `exact`: noise-free values."""
    seeds: tuple[int, ...]
    """Seeds that both have."""
    first: float | None
    """Mean of the first over those seeds."""
    second: float | None
    """Mean of the second over those seeds."""
    difference: Estimate | None
    """Scores: in their unit. Costs: relative to the first. None if the two are not comparable."""
    verdict: Verdict | Literal["equal", "not comparable"]
    """Verdict on the second; `better` and `worse` are Holm-corrected over the rows of the metric."""
    p: float | None
    """Two-sided paired t-test, Holm-corrected over the rows of the metric."""
    effect: Effect | None
    reason: str = ""
    """Why the row is not comparable or undecided."""
    lower: bool = False
    """Whether a lower value is better."""
    changes: tuple[float, ...] = ()
    """Differences of scores on each seed, in their unit."""


@dataclass(frozen=True)
class Comparison:
    """Differences between two sets of records: in their settings and in their results."""

    first: str
    second: str
    configuration: tuple[Difference, ...]
    """Differences in options, learning rates and code of the strategies."""
    drift: tuple[Difference, ...]
    """Differences in data, protocol, software and hardware."""
    rows: tuple[Row, ...]
    alone: tuple[str, ...]
    """Configurations that only one of the two has, one sentence each."""


def compare_runs(first: RecordSet, second: RecordSet, asked: Asked) -> Comparison:
    """Compare two runs on the configurations and seeds they share.

    Args:
        first: the reference run.
        second: the run that is compared with it.
        asked: options of the comparison.

    Raises:
        RunError: if they share no finished trial, or no shared trial has a requested metric.
        NotComparable: if they differ in a field that must be equal for the primary scores or a requested metric.
    """
    places = sorted({*first.records} & {*second.records})
    pairings = [(place, first.source, _shared_pairs(first, place, second, place)) for place in places]
    alone = [f"{place} is only in {first.source}" for place in sorted({*first.records} - {*second.records})]
    alone += [f"{place} is only in {second.source}" for place in sorted({*second.records} - {*first.records})]
    return _compare(
        first.source, second.source, pairings, alone, asked, moderate=_moderated_between_runs, together=_together
    )


def compare_strategies(run: RecordSet, baseline: str, asked: Asked) -> Comparison:
    """Compare every strategy of a run with the one labelled `baseline`, on the same task column and backbone.

    Args:
        run: the run.
        baseline: label of the reference strategy.
        asked: options of the comparison.

    Raises:
        RunError: if no strategy has this label, or as in `compare_runs`.
        NotComparable: as in `compare_runs`.
    """
    labels = sorted({place.strategy for place in run.records})
    if baseline not in labels:
        from ..errors import suggestion

        raise RunError(
            f"--baseline {baseline!r}: no strategy of {run.source} has this label{suggestion(baseline, labels)}"
        )
    pairings = []
    for place in sorted(run.records):
        against = replace(place, strategy=baseline)
        if place.strategy != baseline and against in run.records:
            pairings.append((place, baseline, _shared_pairs(run, against, run, place)))
    return _compare(
        baseline, run.source, pairings, [], asked, moderate=partial(_moderated_within_run, run=run, baseline=baseline)
    )


def _shared_pairs(first: RecordSet, one: Place, second: RecordSet, other: Place) -> list[tuple[Record, Record]]:
    a, b = first.records[one], second.records[other]
    return [(a[seed], b[seed]) for seed in sorted({*a} & {*b}) if a[seed].status == b[seed].status == "ok"]


def _compare(
    first: str,
    second: str,
    pairings: Sequence[Pairing],
    alone: Sequence[str],
    asked: Asked,
    *,
    moderate: Callable[[Sequence[Row]], list[Estimate | None]],
    together: Callable[[Sequence[Row], Sequence[Pairing], float], list[Row]] = lambda _, __, ___: [],
) -> Comparison:
    pairings = [pairing for pairing in pairings if pairing[2]]
    if not pairings:
        raise RunError(f"{first} and {second} share no finished trial of the same task, backbone, strategy and seed")
    pairs = [pair for _, _, found in pairings for pair in found]
    _check_comparable(pairings, asked)
    rows = _moderated([row for pairing in pairings for row in _rows(pairing, asked)], moderate, asked.margin)
    for name in asked.metrics:
        if not any(row.metric == name for row in rows):
            raise RunError(f"--metric {name}: no shared trial of {first} and {second} has it")
    rows += together(rows, pairings, asked.margin)
    configuration = tuple(configuration_differences(pairs))
    return Comparison(
        first, second, configuration, tuple(differences(pairs)), tuple(_with_corrected_p(rows)), tuple(alone)
    )


def _primaries(pairing: Pairing) -> list[str]:
    return list(dict.fromkeys(pair[0].primary for pair in pairing[2]))


def _check_comparable(pairings: Sequence[Pairing], asked: Asked) -> None:
    """Raise an error if a requested metric is not comparable.

    Raises:
        NotComparable: if fields differ that must be equal; one line per field.
    """
    found: dict[Difference, None] = {}
    for pairing in pairings:
        for name in asked.metrics or _primaries(pairing):
            reading = next(
                (m for pair in pairing[2] for record in pair if (m := record.measurement(name)) is not None), None
            )
            found |= dict.fromkeys(without(differences(pairing[2], needed(name, reading)), asked.allowed))
    if found:
        lines = [f"not comparable: {one}" for one in found]
        raise NotComparable(*lines[:-1], f"{lines[-1]}; use `--allow-drift FIELD` to compare anyway")


def _rows(pairing: Pairing, asked: Asked) -> list[Row]:
    place, against, pairs = pairing
    rows = []
    for name in asked.metrics or (*_primaries(pairing), *COSTS):
        readings = [
            (pair, one, two)
            for pair in pairs
            if (one := _with_value(pair[0], name)) and (two := _with_value(pair[1], name))
        ]
        if readings:
            rows.append(_row(place, against, readings, asked))
    return rows


def _with_value(record: Record, name: str) -> Measurement | None:
    found = record.measurement(name)
    return found if found is not None and found.value is not None else None


def _row(place: Place, against: str, readings: Sequence[Reading], asked: Asked) -> Row:
    known = readings[0][1]
    first = [one.value or 0.0 for _, one, _ in readings]
    second = [two.value or 0.0 for _, _, two in readings]
    seeds = tuple(pair[0].trial["seed"] for pair, _, _ in readings)
    row = Row(
        place=place,
        against=against,
        metric=known.name,
        unit=known.unit,
        scale=_scale(known, first + second),
        seeds=seeds,
        first=float(np.mean(first)),
        second=float(np.mean(second)),
        difference=None,
        verdict="not comparable",
        p=None,
        effect=None,
        lower=known.direction == "lower",
    )
    drift = without(differences((pair for pair, _, _ in readings), needed(known.name, known)), asked.allowed)
    if drift:
        return replace(row, reason="; ".join(map(str, drift)))
    lower = known.direction == "lower"
    if row.scale == "exact":
        return _exact_row(row, first, second, lower=lower)
    if row.scale == "ratio" and (causes := disturbances(*(m for _, one, two in readings for m in (one, two)))):
        return replace(row, verdict="undecided", reason=f"the device was disturbed: {', '.join(causes)}")
    if row.scale == "ratio":
        found = paired(np.log(first).tolist(), np.log(second).tolist(), float(np.log1p(RATIO)), lower=lower)
        return replace(row, difference=_relative_change(found.estimate), verdict=found.verdict, p=found.p, effect=None)
    found = paired(first, second, asked.margin, lower=lower)
    size = effect(first, second, lower=lower, shares=all(0 <= value <= 1 for value in first + second))
    changes = tuple(paired_differences(first, second).tolist())
    return replace(row, difference=found.estimate, verdict=found.verdict, p=found.p, effect=size, changes=changes)


def _moderated(
    rows: Sequence[Row], moderate: Callable[[Sequence[Row]], list[Estimate | None]], margin: float
) -> list[Row]:
    """Return rows whose differences of scores are informed by those of the same score on the same task column."""
    found, groups = list(rows), defaultdict(list)
    for number, row in enumerate(rows):
        if row.scale == "points" and row.difference is not None and tier_of(row.metric) == "quality":
            groups[row.metric, row.place.target].append(number)
    for numbers in groups.values():
        for number, one in zip(numbers, moderate([rows[number] for number in numbers]), strict=True):
            if one is not None:
                verdict = judged(one, margin, lower=rows[number].lower)
                found[number] = replace(rows[number], difference=one, verdict=verdict.verdict, p=verdict.p)
    return found


def _moderated_between_runs(rows: Sequence[Row]) -> list[Estimate | None]:
    """Moderate the changes of all configurations between two runs, which are independent."""
    return list(moderated([row.difference for row in rows if row.difference is not None]))


def _together(rows: Sequence[Row], pairings: Sequence[Pairing], margin: float) -> list[Row]:
    """Return a row for the mean change of each score over all strategies whose scores changed."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if any(row.changes) and tier_of(row.metric) == "quality":
            groups[row.metric].append(row)
    records: dict[str, list[Record]] = defaultdict(list)
    for place, _, pairs in pairings:
        records[place.target] += [record for pair in pairs for record in pair]
    together = []
    for members in groups.values():
        steps = {target: step_of_records(found, members[0].metric) for target, found in records.items()}
        cells = [
            Cell(one.place.target, dict(zip(one.seeds, one.changes, strict=True)), steps[one.place.target])
            for one in members
        ]
        pooled = pool(cells)
        if pooled is None:
            continue
        verdict = judged(pooled, margin, lower=members[0].lower)
        row = replace(
            members[0],
            place=place_of_all([one.place for one in members]),
            seeds=tuple(sorted({seed for one in members for seed in one.seeds})),
            first=fmean(one.first or 0.0 for one in members),
            second=fmean(one.second or 0.0 for one in members),
            difference=pooled,
            verdict=verdict.verdict,
            p=verdict.p,
            effect=None,
            reason="",
            changes=(),
        )
        together.append(row)
    return together


def _moderated_within_run(rows: Sequence[Row], *, run: RecordSet, baseline: str) -> list[Estimate | None]:
    """Moderate the differences to a baseline by those of all pairs of strategies of the run, as its page does."""
    metric, target = rows[0].metric, rows[0].place.target
    places = [place for place in sorted(run.records) if place.target == target]
    values = {
        place: {
            seed: value
            for seed, record in run.records[place].items()
            if record.status == "ok" and (value := _value(record, metric)) is not None
        }
        for place in places
    }
    seeds = sorted({seed for own in values.values() for seed in own})
    table = np.array([[values[place].get(seed, np.nan) for place in places] for seed in seeds], float)
    columns = {place: number for number, place in enumerate(places)}
    second = np.array([columns[row.place] for row in rows], np.int64)
    first = np.array([columns[replace(row.place, strategy=baseline)] for row in rows], np.int64)
    records = [record for place in places for record in run.records[place].values() if record.status == "ok"]
    outside = [columns[place] for place in places if all(r.is_untrained for r in run.records[place].values())]
    family = paired_family(table, first, second, step=step_of_records(records, metric), outside=outside)
    return [one.estimate if one is not None else None for one in of_family(family)]


def _value(record: Record, name: str) -> float | None:
    found = record.measurement(name)
    return None if found is None else found.value


def _scale(known: Measurement, values: Sequence[float]) -> Scale:
    tier = tier_of(known.name, known)
    if tier == "exact":
        return "exact"
    return "points" if tier == "quality" or min(values) <= 0 else "ratio"


def _exact_row(row: Row, first: Sequence[float], second: Sequence[float], *, lower: bool) -> Row:
    # A value close to zero is no reference for a relative change: the ratio may overflow.
    changes = [
        two / one - 1 if abs(one) * LARGEST > 1 else float(two != one) for one, two in zip(first, second, strict=True)
    ]
    if first == second:
        return replace(row, difference=estimate(changes), verdict="equal")
    better = (row.second or 0.0) < (row.first or 0.0) if lower else (row.second or 0.0) > (row.first or 0.0)
    return replace(row, difference=estimate(changes), verdict="better" if better else "worse")


def _relative_change(logs: Estimate) -> Estimate:
    """Return the relative difference, with its interval, of a mean of log ratios."""
    ends = [None if end is None else float(np.expm1(end)) for end in (logs.low, logs.high)]
    return Estimate(float(np.expm1(logs.mean)), logs.n, ends[0], ends[1], logs.deviation)


def _with_corrected_p(rows: Sequence[Row]) -> list[Row]:
    """Return rows with p-values Holm-corrected per metric; verdicts that do not survive become `undecided`."""
    found = list(rows)
    for metric in dict.fromkeys(row.metric for row in rows if row.scale != "exact"):
        p = adjusted({number: row.p for number, row in enumerate(rows) if row.metric == metric})
        for number, corrected in p.items():
            row = rows[number]
            withdrawn = row.verdict in SIGNIFICANT and corrected is not None and corrected >= ALPHA
            found[number] = replace(row, p=corrected, verdict="undecided" if withdrawn else row.verdict)
    return found
