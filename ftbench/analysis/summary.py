"""Records → summary: everything a report shows, computed once."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunError
from ..records.record import FAILED
from ..stats.estimates import Estimate, Interval, estimate
from ..stats.item_scores import Items, interval_over_items
from ..suite.suite import Statistics
from .contender import Contender, LossPoint, Quantity, with_budgets
from .ranking import Ranking, rank_over_tasks
from .task_column import UNFINISHED, TaskColumn, View, grouped, target_of, with_unfinished
from .tuning import tuning_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..api.measurement import Measurement, Samples
    from ..records.record import Attempt, Curve, Record
    from .tuning import Tuned

SPENT = ("energy", "train_energy", "cost", "emissions")
"""Measurements that add up over trials: what a strategy took of the world, whether its trials succeeded or not."""


@dataclass(frozen=True)
class TrialLine:
    """How one trial went."""

    target: str
    contender: str
    seed: int
    id: str
    status: str
    attempts: int
    seconds: float | None
    """From its start to its end; None where that was not measured."""
    earlier: tuple[Attempt, ...] = ()
    """How the attempts before the last ended."""
    log: str = ""
    """The end of what a failed trial wrote, where that is kept."""
    samples: tuple[Samples, ...] = ()
    """What was sampled from outside while it ran."""


@dataclass(frozen=True)
class Summary:
    """A whole run."""

    suite: str
    seeds: tuple[int, ...]
    profile: str
    targets: tuple[TaskColumn, ...]
    statuses: Mapping[str, int]
    environments: tuple[Mapping[str, Any], ...]
    """Software and hardware of every environment among the records."""
    provenance: Mapping[str, Mapping[str, Any]]
    """Data set or backbone → licence, source, note."""
    splits: Mapping[str, str]
    """Task → hash of its splits."""
    strategies: tuple[str, ...]
    """Labels of all contenders, in the order of the suite: what colours go by."""
    ranking: Ranking
    """Strategies over tasks, or why there is no such ranking."""
    statistics: Statistics = field(default_factory=Statistics)
    """The margins of equivalence that hold."""
    remarks: tuple[str, ...] = ()
    """What a reader of the whole must know, such as a margin for a score that nothing measured."""
    trials: tuple[TrialLine, ...] = ()
    """Every trial that left a record."""
    suites: tuple[str, ...] = ()
    """Names of the suites, where several runs are summed up as one; else of the one."""
    tuning: tuple[Tuned, ...] = ()
    """What was tuned, target by target, in the order of the strategies; see `ftbench.analysis.tuning_summary`."""


def summarise(
    records: Sequence[Record],
    order: Sequence[str] = (),
    baseline: str | None = None,
    statistics: Statistics | None = None,
    read: Callable[[Record], Items | str] | None = None,
    *,
    unfinished: Sequence[tuple[str, str, str, int]] = (),
    log: Callable[[Record], str] | None = None,
    budgets: Mapping[tuple[str, str, str], str] | None = None,
) -> Summary:
    """Sum records up.

    Args:
        records: of one suite; those of another environment are other measurements and are kept apart by the caller.
        order: labels of targets and strategies in the order they should appear.
        baseline: label of the strategy the others are compared with; `full` where there is one, else the first.
        statistics: the suite's margins of equivalence; half a point by default.
        read: gives what each test item adds to a trial's score, or why that is not known; see `ftbench.records.predictions.read_items`. Without it
            nothing is said about other test items.
        unfinished: target, backbone, strategy and seed of the trials that were planned and have no record.
        log: gives the end of what a trial wrote; asked for trials that failed.
        budgets: target, backbone and strategy → what it was tuned with, in words: only equal ones are compared.
    """
    statistics = statistics or Statistics()
    rank = {label: number for number, label in enumerate(order)}
    by_target: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_target[record.trial["target"]].append(record)
    still: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for label, backbone, strategy, seed in unfinished:
        still[label].append((strategy, backbone, seed))
    given: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for (label, *who), budget in (budgets or {}).items():
        given[label][who[0], who[1]] = budget
    view = View(rank, baseline, statistics)
    targets = [
        with_unfinished(
            target_of(label, by_target[label], with_budgets(contenders_of(by_target[label], read), given[label]), view),
            still[label],
        )
        for label in sorted(by_target, key=lambda label: (rank.get(label, len(rank)), label))
    ]
    names = {contender.label for target in targets for contender in target.contenders}
    names |= {missing.contender for target in targets for missing in target.missing}
    first = records[0].trial if records else {}
    return Summary(
        suite=first.get("suite", ""),
        seeds=tuple(sorted({record.trial["seed"] for record in records})),
        profile=first.get("profile", ""),
        targets=tuple(targets),
        statuses=dict(Counter([*(record.status for record in records), *([UNFINISHED] * len(unfinished))])),
        environments=_environments(records),
        provenance=_provenance(records),
        splits={task: h for record in records for task, h in record.provenance.get("splits", {}).items()},
        strategies=tuple(sorted(names, key=lambda label: (rank.get(label.split(" · ")[0], len(rank)), label))),
        ranking=rank_over_tasks(targets),
        statistics=statistics,
        remarks=(*_remarks(statistics, targets), *_untouched(still, by_target)),
        trials=_trials(records, log or (lambda _: "")),
        suites=tuple(dict.fromkeys(record.trial.get("suite", "") for record in records)),
    )


def contenders_of(records: Sequence[Record], read: Callable[[Record], Items | str] | None = None) -> list[Contender]:
    """Group the records of one target by strategy and backbone, and sum each group up.

    Args:
        records: of one target.
        read: see `summarise`.
    """
    return [_contender(name, group, read or _not_read) for name, group in grouped(records).items()]


def _not_read(record: Record) -> str:
    del record
    return "the predictions were not read"


def _remarks(statistics: Statistics, targets: Sequence[TaskColumn]) -> tuple[str, ...]:
    measured = {name for target in targets for contender in target.contenders for name in contender.quantities}
    labels = {target.label for target in targets}
    unused = [name for name in statistics.margins if name.rpartition("/")[2] not in measured | labels]
    return tuple(f"statistics.margins: {name!r}: nothing is measured that is called so" for name in unused)


def _untouched(unfinished: Mapping[str, Sequence[object]], begun: Mapping[str, object]) -> list[str]:
    return [
        f"{label}: none of its {len(places)} trials has a record yet"
        for label, places in unfinished.items()
        if label not in begun
    ]


# ---- one contender -------------------------------------------------------------------------------------------------------


def _contender(label: str, records: Sequence[Record], read: Callable[[Record], Items | str]) -> Contender:
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
    items = {record.trial["seed"]: read(record) for record in done}
    known = {seed: found for seed, found in items.items() if isinstance(found, Items)}
    unknown = next((found for found in items.values() if isinstance(found, str)), "")
    quantities = _with_totals(_quantities(done, ""), records)
    return Contender(
        label=label,
        strategy=trial["strategy"]["label"],
        use=trial["strategy"]["use"],
        settings=_settings(trial),
        backbone=trial["backbone"]["label"],
        statuses=dict(Counter(record.status for record in records)),
        quantities=_over_items(quantities, records[0].primary, known, unknown),
        by_task={task: _quantities(done, task) for task in tasks} if len(tasks) > 1 else {},
        lr=trial["stages"][-1]["training"]["lr"],
        learning=_learning(curve for record in done for curve in record.curves),
        confusion=confusion,
        phases={name: estimate(values) for name, values in phases.items()},
        retention=_retention(done),
        items=known,
        unknown_items=unknown,
    )


def _settings(trial: Mapping[str, Any]) -> dict[str, str]:
    """List what a contender is made of, as it is written in a suite."""
    parts = {name: {"use": trial[name]["use"], **trial[name]["options"]} for name in ("strategy", "backbone")}
    training = trial["stages"][-1]["training"]
    return {
        f"{part}.{name}": json.dumps(value, sort_keys=True, ensure_ascii=False)
        for part, values in {**parts, "training": training}.items()
        for name, value in values.items()
    }


def _trials(records: Sequence[Record], log: Callable[[Record], str]) -> tuple[TrialLine, ...]:
    found = []
    for target in dict.fromkeys(record.trial["target"] for record in records):
        groups = grouped([record for record in records if record.trial["target"] == target])
        for label, group in groups.items():
            for record in sorted(group, key=lambda r: r.trial["seed"]):
                spent = record.measurement("wall_time")
                seconds = spent.value if spent else None
                told = log(record) if record.status in FAILED else ""
                line = (
                    record.trial["seed"],
                    record.id,
                    record.status,
                    record.attempts,
                    seconds,
                    record.earlier,
                    told,
                    record.samples,
                )
                found.append(TrialLine(target, label, *line))
    return tuple(found)


def _over_items(
    quantities: dict[str, Quantity], primary: str, items: Mapping[int, Items], unknown: str
) -> dict[str, Quantity]:
    """Say of the primary score what holds on other test items."""
    found = quantities.get(primary)
    if found is None or found.estimate is None:
        return quantities
    over: Interval | str = unknown
    if not unknown and set(found.by_seed) <= set(items):
        over = interval_over_items(found.estimate, [items[seed] for seed in found.by_seed])
    if isinstance(over, str):
        return {**quantities, primary: replace(found, unknown=over)}
    return {**quantities, primary: replace(found, new_items=over)}


def _learning(curves: Iterable[Curve]) -> dict[str, tuple[LossPoint, ...]]:
    by_task: dict[str, list[Curve]] = defaultdict(list)
    for curve in curves:
        by_task[curve.task].append(curve)
    return {task: tuple(_course(found)) for task, found in by_task.items()}


def _course(curves: Sequence[Curve]) -> Iterator[LossPoint]:
    """Give the loss at each step that any of the curves has, over those that have it."""
    if len({tuple(point["step"] for point in curve.points) for curve in curves}) > 1:
        reached: dict[float, list[Curve]] = defaultdict(list)
        for curve in curves:
            for point in curve.points:
                reached[point["step"]].append(replace(curve, points=(point,)))
        for step in sorted(reached):
            yield from _course(reached[step])
        return
    losses, seconds = (
        np.array([[point[name] for point in curve.points] for curve in curves]) for name in ("task_loss", "seconds")
    )
    columns = (losses.mean(0), losses.min(0), losses.max(0), seconds.mean(0))
    yield from map(LossPoint, (point["step"] for point in curves[0].points), *(column.tolist() for column in columns))


def _retention(records: Sequence[Record]) -> tuple[tuple[Estimate | None, ...], ...]:
    """Give what each stage of a sequence left of each task, over the seeds that have all of it."""
    matrices = [record.retention.matrix for record in records if record.retention is not None]
    if not matrices or len({tuple(map(len, matrix)) for matrix in matrices}) > 1:
        return ()
    cells = [[[matrix[i][j] for matrix in matrices] for j in range(len(row))] for i, row in enumerate(matrices[0])]
    return tuple(tuple(_known(values) for values in row) for row in cells)


def _known(values: Sequence[float | None]) -> Estimate | None:
    there = [value for value in values if value is not None]
    return estimate(there) if there and len(there) == len(values) else None


def _added(one: tuple[tuple[int, ...], ...], other: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Add two matrices.

    Raises:
        RunError: they are not of the same classes.
    """
    if len(one) != len(other):
        raise RunError(f"records of one strategy on one task are of {len(one)} and of {len(other)} classes")
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
    """Give one flat row per target, contender and measurement, for CSV and data frames; then those of the tuning."""
    found = [
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
            "low_new_items": quantity.new_items.low if quantity.new_items else None,
            "high_new_items": quantity.new_items.high if quantity.new_items else None,
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
    return found + [{**dict.fromkeys(found[0]), **row} for row in tuning_rows(summary.tuning)]
