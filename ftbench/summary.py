"""Records → summary: everything a report shows, computed once."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .statistics import Difference, Estimate, estimate, holm, paired, pareto

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .measurement import Measurement
    from .record import Curve, Record

ALPHA = 0.05
COSTS = (
    "trainable_parameters", "peak_host_memory", "peak_allocated_memory", "peak_device_memory", "throughput", "energy",
)  # fmt: skip
"""The measurements quality is drawn against, where they were taken."""


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


@dataclass(frozen=True)
class LossPoint:
    """The task's training loss at a step, over the seeds that reached it."""

    step: float
    mean: float
    least: float
    most: float


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
    against_baseline: Difference | None = None
    """Paired difference of the primary metric to the baseline."""
    p_adjusted: float | None = None
    """Its p-value, Holm-corrected over the target's comparisons with the baseline."""
    fronts: frozenset[str] = frozenset()
    """Costs on whose Pareto front it stands."""

    @property
    def name(self) -> str:
        """The label."""
        return self.label


@dataclass(frozen=True)
class Target:
    """A task or a sequence with everyone who took part."""

    label: str
    modality: str
    primary: str
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
    contenders.sort(key=lambda c: (_score(c, primary) is None, -(_score(c, primary) or 0), rank.get(c.strategy, 0), c.label))
    contenders = _with_fronts(contenders, primary)
    chosen = _baseline(contenders, wanted, rank)
    contenders = _against(contenders, chosen, primary)
    first = records[0]
    return Target(
        label=label,
        modality=first.trial["modality"],
        primary=primary,
        is_sequence=len(first.trial["stages"]) > 1,
        tasks=tuple(stage["task"]["label"] for stage in first.trial["stages"]),
        classes={task: names for record in records for task, names in record.classes.items()},
        contenders=tuple(contenders),
        baseline=chosen,
        missing=_missing(groups),
        majority=_majority(records),
        notes=tuple(dict.fromkeys(d["note"] for r in records for d in r.provenance.get("data", {}).values() if d["note"])),
        verdict=_verdict(contenders, primary, is_sequence=len(first.trial["stages"]) > 1),
    )


def _score(contender: Contender, name: str) -> float | None:
    found = contender.quantities.get(name)
    return found.estimate.mean if found and found.estimate else None


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
        quantities=_quantities(done, ""),
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
    )


def _with_fronts(contenders: list[Contender], primary: str) -> list[Contender]:
    from dataclasses import replace

    fronts: dict[str, set[str]] = defaultdict(set)
    for cost in COSTS:
        points = []
        for contender in contenders:
            quality, price = _score(contender, primary), _score(contender, cost)
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
    from dataclasses import replace

    reference = next((c for c in contenders if c.label == baseline), None)
    if reference is None:
        return contenders
    found = {c.label: difference(reference, c, primary) for c in contenders if c is not reference}
    tested = {label: d for label, d in found.items() if d is not None and d.p is not None}
    adjusted = dict(zip(tested, holm([d.p for d in tested.values() if d.p is not None]), strict=True))
    return [replace(c, against_baseline=found.get(c.label), p_adjusted=adjusted.get(c.label)) for c in contenders]


def difference(first: Contender, second: Contender, name: str) -> Difference | None:
    """Compare two contenders on the seeds they share; None where they share none."""
    if name not in first.quantities or name not in second.quantities:
        return None
    one, other = first.quantities[name].by_seed, second.quantities[name].by_seed
    shared = sorted(set(one) & set(other))
    return paired([one[s] for s in shared], [other[s] for s in shared]) if shared else None


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


# ---- what can be concluded -------------------------------------------------------------------------------------------------


def _verdict(contenders: Sequence[Contender], primary: str, *, is_sequence: bool) -> tuple[str, ...]:
    scored = [c for c in contenders if _score(c, primary) is not None]
    if not scored:
        return ("No trial has finished with a score.",)
    leader = scored[0]
    quantity = leader.quantities[primary]
    assert quantity.estimate is not None
    n = quantity.estimate.n
    named = primary.replace("_", " ")
    if n == 1:
        return (
            f"One seed: {leader.label} has the highest {named}, {percent(quantity.estimate.mean)}, and nothing can be said about who is better.",
        )
    sentences = [f"{leader.label} has the highest mean {named}, {share_interval(quantity.estimate)}, over {n} seeds."]
    compared = [(c, difference(c, leader, primary)) for c in scored[1:]]
    tested = [(c, d) for c, d in compared if d is not None and d.p is not None]
    adjusted = holm([d.p for _, d in tested if d.p is not None])
    beaten = [(c, d) for (c, d), p in zip(tested, adjusted, strict=True) if p < ALPHA and d.estimate.mean > 0]
    tied = [c.label for c in scored[1:] if c not in [b for b, _ in beaten]]
    if tied:
        sentences.append(f"It cannot be told apart from {_joined(tied)} on this test set.")
    if beaten:
        nearest = min(beaten, key=lambda pair: pair[1].estimate.mean)
        span = point_interval(nearest[1].estimate)
        sentences.append(f"It beats {_joined([c.label for c, _ in beaten])}; nearest of them {nearest[0].label}, by {span}.")
    if is_sequence:
        sentences.extend(_forgetting(scored))
    return tuple(sentences)


def _forgetting(scored: Sequence[Contender]) -> list[str]:
    found = [(c, c.quantities["forgetting"].estimate) for c in scored if "forgetting" in c.quantities]
    ordered = sorted(((c, e) for c, e in found if e is not None), key=lambda pair: pair[1].mean)
    if len(ordered) < 2:
        return []
    parts = [f"{c.label} {point_interval(e)}" for c, e in ordered]
    return [f"Forgetting of the earlier tasks, least first: {_joined(parts)}."]


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def percent(value: float) -> str:
    """Write a share as per cent."""
    return f"{100 * value:.1f} %"


def share_interval(value: Estimate) -> str:
    """Write a share with its interval."""
    if value.low is None or value.high is None:
        return percent(value.mean)
    return f"{percent(value.mean)} [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def point_interval(value: Estimate) -> str:
    """Write a difference of shares in points, with its interval."""
    text = f"{100 * value.mean:+.1f} points"
    if value.low is None or value.high is None:
        return text
    return f"{text} [{100 * value.low:+.1f}, {100 * value.high:+.1f}]"


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
            "unit": quantity.unit,
            "direction": quantity.direction,
            "reason": quantity.reason,
            "method": quantity.method,
            "statuses": "; ".join(f"{status} {count}" for status, count in sorted(contender.statuses.items())),
        }
        for target in summary.targets
        for contender in target.contenders
        for task, quantities in itertools.chain([("", contender.quantities)], contender.by_task.items())
        for quantity in quantities.values()
    ]
