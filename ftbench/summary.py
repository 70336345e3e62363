"""Records → summary: everything a report shows, computed once."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .contender import Contender, LossPoint, Quantity, difference, gain, score
from .fronts import pareto
from .multiplicity import holm
from .statistics import estimate
from .verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .measurement import Measurement
    from .record import Curve, Record

COSTS = (
    "trainable_parameters", "peak_host_memory", "peak_allocated_memory", "peak_device_memory", "throughput", "energy", "cost",
)  # fmt: skip
"""The measurements quality is drawn against, where they were taken."""


SPENT = ("energy", "train_energy", "cost", "emissions")
"""Measurements that add up over trials: what a strategy took of the world, whether its trials succeeded or not."""

BESIDE = ("forgetting", "macro_f1", "exact_match", "spearman", "character_error_rate", "calibration_error")
"""Scores that may stand beside a primary one, the most telling first."""


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
class Target:
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


@dataclass(frozen=True)
class Summary:
    """A whole run."""

    suite: str
    seeds: tuple[int, ...]
    profile: str
    targets: tuple[Target, ...]
    statuses: Mapping[str, int]
    environments: tuple[Mapping[str, Any], ...]
    """Software and hardware of every environment among the records."""
    provenance: Mapping[str, Mapping[str, Any]]
    """Data set or backbone → licence, source, note."""
    splits: Mapping[str, str]
    """Task → hash of its splits."""
    strategies: tuple[str, ...]
    """Labels of all contenders, in the order of the suite: what colours go by."""


def summarise(records: Sequence[Record], order: Sequence[str] = (), baseline: str | None = None) -> Summary:
    """Sum records up.

    Args:
        records: of one suite; those of another environment are other measurements and are kept apart by the caller.
        order: labels of targets and strategies in the order they should appear.
        baseline: label of the strategy the others are compared with; `full` where there is one, else the first.
    """
    rank = {label: number for number, label in enumerate(order)}
    by_target: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_target[record.trial["target"]].append(record)
    targets = [
        _target(label, by_target[label], rank, baseline)
        for label in sorted(by_target, key=lambda label: (rank.get(label, len(rank)), label))
    ]
    names = {contender.label for target in targets for contender in target.contenders}
    first = records[0].trial if records else {}
    return Summary(
        suite=first.get("suite", ""),
        seeds=tuple(sorted({record.trial["seed"] for record in records})),
        profile=first.get("profile", ""),
        targets=tuple(targets),
        statuses=dict(Counter(record.status for record in records)),
        environments=_environments(records),
        provenance=_provenance(records),
        splits={task: h for record in records for task, h in record.provenance.get("splits", {}).items()},
        strategies=tuple(sorted(names, key=lambda label: (rank.get(label.split(" · ")[0], len(rank)), label))),
    )


# ---- one target ----------------------------------------------------------------------------------------------------------


def _target(label: str, records: Sequence[Record], rank: Mapping[str, int], wanted: str | None) -> Target:
    several = len({record.trial["backbone"]["label"] for record in records}) > 1
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        strategy, backbone = record.trial["strategy"]["label"], record.trial["backbone"]["label"]
        groups[f"{strategy} · {backbone}" if several else strategy].append(record)
    primary = records[0].primary
    contenders = [_contender(name, group) for name, group in groups.items()]
    contenders.sort(key=lambda c: (score(c, primary) is None, -(gain(c, primary) or 0), rank.get(c.strategy, 0), c.label))
    contenders = _with_fronts(contenders, primary)
    chosen = _baseline(contenders, wanted, rank)
    contenders = _against(contenders, chosen, primary)
    first = records[0]
    return Target(
        label=label,
        modality=first.trial["modality"],
        primary=primary,
        beside=_beside(contenders, primary),
        is_sequence=len(first.trial["stages"]) > 1,
        tasks=tuple(stage["task"]["label"] for stage in first.trial["stages"]),
        classes={task: names for record in records for task, names in record.classes.items()},
        contenders=tuple(contenders),
        baseline=chosen,
        missing=_missing(groups),
        majority=_majority(records),
        notes=tuple(dict.fromkeys(d["note"] for r in records for d in r.provenance.get("data", {}).values() if d["note"])),
        verdict=verdict(contenders, primary, is_sequence=len(first.trial["stages"]) > 1),
    )


def _beside(contenders: Sequence[Contender], primary: str) -> str:
    """Choose what stands beside the primary metric: forgetting, or else the first of `BESIDE` that the task gives."""
    given = {name for contender in contenders for name, quantity in contender.quantities.items() if quantity.estimate}
    return next((name for name in BESIDE if name in given and name != primary), "")


def _contender(label: str, records: Sequence[Record]) -> Contender:
    done = [record for record in records if record.status == "ok"]
    trial = records[0].trial
    tasks = [stage["task"]["label"] for stage in trial["stages"]]
    confusion: dict[str, tuple[tuple[int, ...], ...]] = {}
    for record in done:
        for task, matrix in record.confusion.items():
            before = confusion.get(task)
            confusion[task] = _added(before, matrix) if before else matrix
    phases: dict[str, list[float]] = defaultdict(list)
    for record in done:
        for phase in record.phases:
            phases[phase.name].append(phase.seconds)
    return Contender(
        label=label,
        strategy=trial["strategy"]["label"],
        backbone=trial["backbone"]["label"],
        statuses=dict(Counter(record.status for record in records)),
        quantities=_with_totals(_quantities(done, ""), records),
        by_task={task: _quantities(done, task) for task in tasks} if len(tasks) > 1 else {},
        lr=trial["stages"][-1]["training"]["lr"],
        learning=_learning(curve for record in done for curve in record.curves),
        confusion=confusion,
        phases={name: estimate(values) for name, values in phases.items()},
    )


def _learning(curves: Iterable[Curve]) -> dict[str, tuple[LossPoint, ...]]:
    losses: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for curve in curves:
        for point in curve.points:
            losses[curve.task][point["step"]].append(point["task_loss"])
    return {
        task: tuple(LossPoint(step, sum(v) / len(v), min(v), max(v)) for step, v in sorted(by_step.items()))
        for task, by_step in losses.items()
    }


def _added(one: tuple[tuple[int, ...], ...], other: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(a + b for a, b in zip(row, more, strict=True)) for row, more in zip(one, other, strict=True))


def _quantities(records: Sequence[Record], task: str) -> dict[str, Quantity]:
    readings: dict[str, list[tuple[int, Measurement]]] = defaultdict(list)
    for record in records:
        for measurement in record.measurements:
            if measurement.task == task:
                readings[measurement.name].append((record.trial["seed"], measurement))
    return {name: _quantity(name, found) for name, found in readings.items()}


def _with_totals(quantities: dict[str, Quantity], records: Sequence[Record]) -> dict[str, Quantity]:
    """Add up what is spent over all trials that were run."""
    run = [record for record in records if record.status not in ("not-applicable", "skipped")]
    for name in SPENT:
        values = [found.value if (found := record.measurement(name)) else None for record in run]
        known = [value for value in values if value is not None]
        if name in quantities and known and len(known) == len(values):
            quantities[name] = replace(quantities[name], total=sum(known))
    return quantities


def _quantity(name: str, readings: Sequence[tuple[int, Measurement]]) -> Quantity:
    taken = [(seed, m) for seed, m in readings if m.value is not None]
    values = {seed: m.value for seed, m in taken if m.value is not None}
    example = (taken or readings)[0][1]
    return Quantity(
        name=name,
        unit=example.unit,
        direction=example.direction,
        method=example.method,
        estimate=estimate(list(values.values())) if values else None,
        reason=None if values else example.reason,
        flags=tuple(sorted({flag for _, m in readings for flag in m.flags})),
        by_seed=values,
        scope=example.scope,
    )


def _with_fronts(contenders: list[Contender], primary: str) -> list[Contender]:
    fronts: dict[str, set[str]] = defaultdict(set)
    for cost in COSTS:
        points = []
        for contender in contenders:
            quality, price = gain(contender, primary), score(contender, cost)
            if quality is not None and price is not None:
                sign = 1 if contender.quantities[cost].direction == "higher" else -1
                points.append((contender.label, (quality, sign * price)))
        for (label, _), on_front in zip(points, pareto([point for _, point in points]), strict=True):
            if on_front:
                fronts[label].add(cost)
    return [replace(contender, fronts=frozenset(fronts[contender.label])) for contender in contenders]


def _baseline(contenders: Sequence[Contender], wanted: str | None, rank: Mapping[str, int]) -> str | None:
    scored = [c for c in contenders if c.statuses.get("ok")]
    for name in (wanted, "full"):
        for contender in scored:
            if name in (contender.label, contender.strategy):
                return contender.label
    return min(scored, key=lambda c: (rank.get(c.strategy, len(rank)), c.label)).label if scored else None


def _against(contenders: list[Contender], baseline: str | None, primary: str) -> list[Contender]:
    reference = next((c for c in contenders if c.label == baseline), None)
    if reference is None:
        return contenders
    found = {c.label: difference(reference, c, primary) for c in contenders if c is not reference}
    tested = {label: d for label, d in found.items() if d is not None and d.p is not None}
    adjusted = dict(zip(tested, holm([d.p for d in tested.values() if d.p is not None]), strict=True))
    return [replace(c, against_baseline=found.get(c.label), p_adjusted=adjusted.get(c.label)) for c in contenders]


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


def _majority(records: Iterable[Record]) -> dict[str, float]:
    found: dict[str, float] = {}
    for record in records:
        for task, matrix in record.confusion.items():
            sizes = [sum(row) for row in matrix]
            found[task] = max(sizes) / sum(sizes)
    return found


# ---- where it comes from -----------------------------------------------------------------------------------------------------


def _environments(records: Sequence[Record]) -> tuple[Mapping[str, Any], ...]:
    found = {r.environment: {k: r.provenance.get(k) for k in ("software", "hardware")} for r in records if r.provenance}
    return tuple({"hash": key, **value} for key, value in sorted(found.items()))


def _provenance(records: Sequence[Record]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for record in records:
        if record.provenance.get("backbone"):
            found[record.trial["backbone"]["label"]] = record.provenance["backbone"]
        found.update(record.provenance.get("data", {}))
    return dict(sorted(found.items(), key=lambda item: item[0]))


def rows(summary: Summary) -> list[dict[str, Any]]:
    """Give one flat row per target, contender and measurement, for CSV and data frames."""
    return [
        {
            "target": target.label,
            "task": task,
            "backbone": contender.backbone,
            "strategy": contender.strategy,
            "measurement": quantity.name,
            "mean": quantity.estimate.mean if quantity.estimate else None,
            "low": quantity.estimate.low if quantity.estimate else None,
            "high": quantity.estimate.high if quantity.estimate else None,
            "n": quantity.estimate.n if quantity.estimate else 0,
            "total": quantity.total,
            "unit": quantity.unit,
            "direction": quantity.direction,
            "reason": quantity.reason,
            "method": quantity.method,
            "scope": quantity.scope,
            "flags": "; ".join(quantity.flags),
            "statuses": "; ".join(f"{status} {count}" for status, count in sorted(contender.statuses.items())),
        }
        for target in summary.targets
        for contender in target.contenders
        for task, quantities in itertools.chain([("", contender.quantities)], contender.by_task.items())
        for quantity in quantities.values()
    ]
