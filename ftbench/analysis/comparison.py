"""Two runs, or the strategies of one, compared place by place and metric by metric on the seeds they share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..api.measurement import LARGEST, disturbances
from ..errors import NotComparable, RunError
from ..records.comparability import configuration_differences, differences, without
from ..stats.effect_size import effect
from ..stats.estimates import ALPHA, MARGIN, Estimate, estimate, paired
from ..stats.multiplicity import adjusted
from .metric_tiers import needed, tier_of

if TYPE_CHECKING:
    from collections.abc import Sequence

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
"""Relative differences of costs smaller than one per cent do not matter."""
COSTS = ("trainable_parameters", "flops_per_step", "peak_tensor_bytes", "throughput", "peak_allocated_memory")
"""Compared beside the primary scores where nothing else is asked for."""


@dataclass(frozen=True)
class Asked:
    """What is to be compared, and how."""

    metrics: tuple[str, ...] = ()
    """By name; by default each target's primary score and a few costs."""
    allowed: tuple[str, ...] = ()
    """Fields that may differ, by dotted name."""
    margin: float = MARGIN
    """The largest difference of a score that does not matter."""


@dataclass(frozen=True)
class Row:
    """One metric of one place, second less first."""

    place: Place
    """Of the second."""
    against: str
    """What the first is: a run, or a strategy of the same run."""
    metric: str
    unit: str
    scale: Scale
    """`points`: differences of scores; `ratio`: relative differences, from logarithms; `exact`: figures without noise."""
    seeds: tuple[int, ...]
    """The seeds both have."""
    first: float | None
    """Mean of the first over those seeds."""
    second: float | None
    difference: Estimate | None
    """Of scores in their unit, of costs as a share of the first; None where nothing may be compared."""
    verdict: Verdict | Literal["equal", "not comparable"]
    """About the second; `better` and `worse` hold after Holm's correction over the rows of the metric."""
    p: float | None
    """Two-sided paired t-test, Holm-corrected over the rows of the metric."""
    effect: Effect | None
    reason: str = ""
    """Why it is not comparable, or cannot be decided."""


@dataclass(frozen=True)
class Comparison:
    """What two sets of records differ in, first in how they were made, then in what came out."""

    first: str
    second: str
    configuration: tuple[Difference, ...]
    """Options and learning rates of the strategies, and their code."""
    drift: tuple[Difference, ...]
    """Data, protocol, software, hardware."""
    rows: tuple[Row, ...]
    alone: tuple[str, ...]
    """Places that one of the two lacks, in words."""


def compare_runs(first: RecordSet, second: RecordSet, asked: Asked) -> Comparison:
    """Compare two runs on the places and seeds they share.

    Args:
        first: the one that differences are seen from.
        second: the other.
        asked: what is compared.

    Raises:
        RunError: they share no finished trial, or one of the metrics is nowhere.
        NotComparable: they differ in what must be equal for the primary scores, or for a metric asked for by name.
    """
    places = sorted({*first.records} & {*second.records})
    pairings = [(place, first.source, _shared(first, place, second, place)) for place in places]
    alone = [f"{place} is only in {first.source}" for place in sorted({*first.records} - {*second.records})]
    alone += [f"{place} is only in {second.source}" for place in sorted({*second.records} - {*first.records})]
    return _compare(first.source, second.source, pairings, alone, asked)


def compare_strategies(run: RecordSet, baseline: str, asked: Asked) -> Comparison:
    """Compare every strategy of a run with the one labelled `baseline`, on the same target and backbone.

    Args:
        run: where they were trained.
        baseline: what differences are seen from.
        asked: what is compared.

    Raises:
        RunError: no strategy is labelled so, or as for `compare_runs`.
        NotComparable: as for `compare_runs`.
    """
    labels = sorted({place.strategy for place in run.records})
    if baseline not in labels:
        from ..errors import suggestion

        raise RunError(
            f"--baseline {baseline!r}: no strategy of {run.source} is labelled so{suggestion(baseline, labels)}"
        )
    pairings = []
    for place in sorted(run.records):
        against = replace(place, strategy=baseline)
        if place.strategy != baseline and against in run.records:
            pairings.append((place, baseline, _shared(run, against, run, place)))
    return _compare(baseline, run.source, pairings, [], asked)


def _shared(first: RecordSet, one: Place, second: RecordSet, other: Place) -> list[tuple[Record, Record]]:
    a, b = first.records[one], second.records[other]
    return [(a[seed], b[seed]) for seed in sorted({*a} & {*b}) if a[seed].status == b[seed].status == "ok"]


def _compare(first: str, second: str, pairings: Sequence[Pairing], alone: Sequence[str], asked: Asked) -> Comparison:
    pairings = [pairing for pairing in pairings if pairing[2]]
    if not pairings:
        raise RunError(f"{first} and {second} share no finished trial of the same task, backbone, strategy and seed")
    pairs = [pair for _, _, found in pairings for pair in found]
    _refuse_unlike(pairings, asked)
    rows = [row for pairing in pairings for row in _rows(pairing, asked)]
    for name in asked.metrics:
        if not any(row.metric == name for row in rows):
            raise RunError(f"--metric {name}: no shared trial of {first} and {second} has it")
    configuration = tuple(configuration_differences(pairs))
    return Comparison(first, second, configuration, tuple(differences(pairs)), tuple(_corrected(rows)), tuple(alone))


def _primaries(pairing: Pairing) -> list[str]:
    return list(dict.fromkeys(pair[0].primary for pair in pairing[2]))


def _refuse_unlike(pairings: Sequence[Pairing], asked: Asked) -> None:
    """Refuse where what is asked for may not be compared.

    Raises:
        NotComparable: a line for every field that differs.
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
        raise NotComparable(*lines[:-1], f"{lines[-1]}; `--allow-drift FIELD` compares all the same")


def _rows(pairing: Pairing, asked: Asked) -> list[Row]:
    place, against, pairs = pairing
    rows = []
    for name in asked.metrics or (*_primaries(pairing), *COSTS):
        readings = [
            (pair, one, two) for pair in pairs if (one := _taken(pair[0], name)) and (two := _taken(pair[1], name))
        ]
        if readings:
            rows.append(_row(place, against, readings, asked))
    return rows


def _taken(record: Record, name: str) -> Measurement | None:
    found = record.measurement(name)
    return found if found is not None and found.value is not None else None


def _row(place: Place, against: str, readings: Sequence[Reading], asked: Asked) -> Row:
    known = readings[0][1]
    first = [one.value or 0.0 for _, one, _ in readings]
    second = [two.value or 0.0 for _, _, two in readings]
    seeds = tuple(pair[0].trial["seed"] for pair, _, _ in readings)
    row = Row(
        place,
        against,
        known.name,
        known.unit,
        _scale(known, first + second),
        seeds,
        float(np.mean(first)),
        float(np.mean(second)),
        None,
        "not comparable",
        None,
        None,
    )
    unlike = without(differences((pair for pair, _, _ in readings), needed(known.name, known)), asked.allowed)
    if unlike:
        return replace(row, reason="; ".join(map(str, unlike)))
    lower = known.direction == "lower"
    if row.scale == "exact":
        return _exact(row, first, second, lower=lower)
    if row.scale == "ratio" and (causes := disturbances(*(m for _, one, two in readings for m in (one, two)))):
        return replace(row, verdict="undecided", reason=f"the device was not itself: {', '.join(causes)}")
    if row.scale == "ratio":
        found = paired(np.log(first).tolist(), np.log(second).tolist(), float(np.log1p(RATIO)), lower=lower)
        return replace(row, difference=_as_shares(found.estimate), verdict=found.verdict, p=found.p, effect=None)
    found = paired(first, second, asked.margin, lower=lower)
    size = effect(first, second, lower=lower, shares=all(0 <= value <= 1 for value in first + second))
    return replace(row, difference=found.estimate, verdict=found.verdict, p=found.p, effect=size)


def _scale(known: Measurement, values: Sequence[float]) -> Scale:
    tier = tier_of(known.name, known)
    if tier == "exact":
        return "exact"
    return "points" if tier == "quality" or min(values) <= 0 else "ratio"


def _exact(row: Row, first: Sequence[float], second: Sequence[float], *, lower: bool) -> Row:
    # What is next to nothing is no measure of a change: the ratio to it may be no number.
    changes = [
        two / one - 1 if abs(one) * LARGEST > 1 else float(two != one) for one, two in zip(first, second, strict=True)
    ]
    if first == second:
        return replace(row, difference=estimate(changes), verdict="equal")
    better = (row.second or 0.0) < (row.first or 0.0) if lower else (row.second or 0.0) > (row.first or 0.0)
    return replace(row, difference=estimate(changes), verdict="better" if better else "worse")


def _as_shares(logs: Estimate) -> Estimate:
    """Turn a mean of log ratios with its interval into the relative difference it stands for."""
    ends = [None if end is None else float(np.expm1(end)) for end in (logs.low, logs.high)]
    return Estimate(float(np.expm1(logs.mean)), logs.n, ends[0], ends[1], logs.deviation)


def _corrected(rows: Sequence[Row]) -> list[Row]:
    """Correct p-values over the rows of each metric (Holm), and take back the claims that do not outlast it."""
    found = list(rows)
    for metric in dict.fromkeys(row.metric for row in rows if row.scale != "exact"):
        p = adjusted({number: row.p for number, row in enumerate(rows) if row.metric == metric})
        for number, corrected in p.items():
            row = rows[number]
            claimed = row.verdict in ("better", "worse") and corrected is not None and corrected >= ALPHA
            found[number] = replace(row, p=corrected, verdict="undecided" if claimed else row.verdict)
    return found
