"""Summarise records into everything that a report shows."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..records.record import FAILED
from ..suite.suite import Statistics
from .aggregation import contenders_of
from .contender import with_budgets
from .learning_signs import with_signs
from .ranking import Ranking, rank_over_tasks
from .task_column import UNFINISHED, ColumnOptions, TaskColumn, build_column, grouped, with_unfinished
from .tuning.tuned import tuning_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..api.measurement import Samples
    from ..records.data_check import TaskFlaws
    from ..records.record import Attempt, Record
    from ..stats.item_scores import Items
    from ..suite.suite import Preference
    from .tuning.tuned import Tuned


@dataclass(frozen=True)
class TrialLine:
    """Status and duration of one trial."""

    target: str
    contender: str
    seed: int
    id: str
    status: str
    attempts: int
    seconds: float | None
    """Wall time; None if it was not measured."""
    earlier: tuple[Attempt, ...] = ()
    """Attempts before the last one."""
    log: str = ""
    """End of the trial log of a failed trial, if it was kept."""
    samples: tuple[Samples, ...] = ()
    """Time series sampled from outside while the trial ran."""


@dataclass(frozen=True)
class Summary:
    """Summary of one run, or of several."""

    suite: str
    seeds: tuple[int, ...]
    profile: str
    targets: tuple[TaskColumn, ...]
    statuses: Mapping[str, int]
    environments: tuple[Mapping[str, Any], ...]
    """Software and hardware of every environment in the records."""
    provenance: Mapping[str, Mapping[str, Any]]
    """Data set or backbone → licence, source, note."""
    splits: Mapping[str, str]
    """Task → hash of its splits."""
    strategies: tuple[str, ...]
    """Labels of all contenders, in the order of the suite; the order decides their colours."""
    ranking: Ranking
    """Strategies over tasks, or why there is no such ranking."""
    statistics: Statistics = field(default_factory=Statistics)
    """The equivalence margins in use."""
    remarks: tuple[str, ...] = ()
    """Caveats for readers of the whole summary, such as a margin for a score that was not measured."""
    trials: tuple[TrialLine, ...] = ()
    """All trials with a record."""
    suites: tuple[str, ...] = ()
    """Name of the suite; several if runs of several suites are summarised as one."""
    tuning: tuple[Tuned, ...] = ()
    """Tuning results by task column, in the order of the strategies; see `ftbench.analysis.tuning.tuning_summary`."""
    data: tuple[TaskFlaws, ...] = ()
    """Flaws in the data of each task that was checked before the run; empty for runs of earlier versions."""


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
    prefer: Preference = "memory",
) -> Summary:
    """Summarise the records of a suite.

    Args:
        records: records of one suite in one environment; the caller separates environments.
        order: labels of task columns and strategies in the order in which they should appear.
        baseline: label of the strategy that the others are compared with; `full` by default, or the first strategy if
            there is no `full`.
        statistics: equivalence margins of the suite; half a point by default.
        read: returns the per-item scores of a trial, or why they are unknown; see
            `ftbench.records.predictions.read_items`. Without it, nothing is computed for new test items.
        unfinished: task column, backbone, strategy and seed of planned trials without a record.
        log: returns the end of the trial log; called for failed trials.
        budgets: task column, backbone and strategy → tuning budget, in words; only contenders of equal budgets are
            compared.
        prefer: kind of cost that chooses among contenders that could be the best.
    """
    statistics = statistics or Statistics()
    rank = {label: number for number, label in enumerate(order)}
    by_target: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_target[record.trial["target"]].append(record)
    unfinished_in: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for label, backbone, strategy, seed in unfinished:
        unfinished_in[label].append((strategy, backbone, seed))
    budgets_in: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for (label, backbone, strategy), budget in (budgets or {}).items():
        budgets_in[label][backbone, strategy] = budget
    options = ColumnOptions(rank, baseline, statistics, prefer)
    targets = [
        with_signs(
            with_unfinished(
                build_column(label, own, with_budgets(contenders_of(own, read), budgets_in[label]), options),
                unfinished_in[label],
            ),
            own,
        )
        for label, own in sorted(by_target.items(), key=lambda item: (rank.get(item[0], len(rank)), item[0]))
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
        remarks=(*_unused_margins(statistics, targets), *_unstarted_targets(unfinished_in, by_target)),
        trials=_trials(records, log or (lambda _: "")),
        suites=tuple(dict.fromkeys(record.trial.get("suite", "") for record in records)),
    )


def _unused_margins(statistics: Statistics, targets: Sequence[TaskColumn]) -> tuple[str, ...]:
    measured = {name for target in targets for contender in target.contenders for name in contender.quantities}
    labels = {target.label for target in targets}
    unused = [name for name in statistics.margins if name.rpartition("/")[2] not in measured | labels]
    return tuple(f"statistics.margins: {name!r}: no measurement or task has this name" for name in unused)


def _unstarted_targets(unfinished: Mapping[str, Sequence[object]], begun: Mapping[str, object]) -> list[str]:
    return [
        f"{label}: none of its {len(places)} trials has a record yet"
        for label, places in unfinished.items()
        if label not in begun
    ]


def _trials(records: Sequence[Record], log: Callable[[Record], str]) -> tuple[TrialLine, ...]:
    found = []
    for target in dict.fromkeys(record.trial["target"] for record in records):
        groups = grouped([record for record in records if record.trial["target"] == target])
        for label, group in groups.items():
            for record in sorted(group, key=lambda r: r.trial["seed"]):
                spent = record.measurement("wall_time")
                seconds = spent.value if spent else None
                found.append(
                    TrialLine(
                        target=target,
                        contender=label,
                        seed=record.trial["seed"],
                        id=record.id,
                        status=record.status,
                        attempts=record.attempts,
                        seconds=seconds,
                        earlier=record.earlier,
                        log=log(record) if record.status in FAILED else "",
                        samples=record.samples,
                    )
                )
    return tuple(found)


# ---- provenance ----------------------------------------------------------------------------------------------------


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
    """Return flat rows for CSV and data frames: one for each measurement of a contender, then those of tuning."""
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
