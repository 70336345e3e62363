"""Choose the measurements a table shows, their order and headings, and write the notes below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftbench.reporting import point_interval, quantity, share_interval, step_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ftbench.reporting import Contender, Quantity, TaskColumn


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    """The measurement."""
    heading: str
    """The text above the column."""


COSTS = (
    Column("trainable_parameters", "trainable"),
    Column("stored_bytes", "stored"),
    Column("peak_host_memory", "peak memory, host"),
    Column("peak_allocated_memory", "peak memory, device"),
    Column("peak_tensor_bytes", "peak memory, tensors"),
    Column("throughput", "throughput"),
    Column("flops_per_step", "FLOPs a step"),
    Column("latency_batch_1_p50", "latency, 1 example"),
    Column("inference_throughput", "inference"),
    Column("charged_train_time", "training, all included"),
    Column("charged_time", "whole trial, all included"),
    Column("energy", "energy"),
    Column("cost", "cost"),
    Column("emissions", "emissions"),
)
MEMORY = {
    "peak_allocated_memory": "the device allocator’s peak",
    "peak_tensor_bytes": "live tensors of a training step at their peak",
    "peak_host_memory": "the process’s peak, libraries included",
}
"""Measurements of memory, the most informative first, and what they cover."""
CHANGES = ("forgetting", "backward_transfer")
"""Measurements that are differences of scores."""
_FIRST = ("trainable_parameters", "charged_train_time", "throughput", "flops_per_step", "latency_batch_1_p50")
FITTING = 4
"""Number of costs that fit on a page 1,200 px wide."""


def columns(target: TaskColumn) -> list[Column]:
    """Return the columns of a task column's table; costs without any value are only in the notes below it."""
    primary = Column(target.primary, target.primary.replace("_", " "))
    scores = (
        [Column(target.secondary, target.secondary.replace("_", " ").replace(" f1", " F1"))] if target.secondary else []
    )
    return [primary, *scores, *measured((target,))]


def measured(targets: Iterable[TaskColumn]) -> list[Column]:
    """Return the costs with a value for at least one contender."""
    contenders = [contender for target in targets for contender in target.contenders]
    return [column for column in COSTS if any(_has(contender, column.name) for contender in contenders)]


def shown(there: Sequence[Column]) -> frozenset[str]:
    """Return the costs shown by default: one of memory, and the most informative others."""
    names = [column.name for column in there]
    memory = [name for name in MEMORY if name in names][:1]
    return frozenset([*memory, *(name for name in _FIRST if name in names)][:FITTING])


def uncertain(target: TaskColumn) -> list[str]:
    """Describe what is unknown about new test items, and the effect that the seeds could detect."""
    readings = [c.quantities[target.primary] for c in target.contenders if target.primary in c.quantities]
    found = [
        f"on new test items: not known: {reason}" for reason in dict.fromkeys(q.unknown for q in readings if q.unknown)
    ]
    seeds = max((q.estimate.n for q in readings if q.estimate), default=0)
    smallest = target.noise.detectable(seeds) if target.noise else None
    if smallest is not None:
        size = f"{100 * smallest:.1f}" if target.unit == "1" else f"{smallest:.3g}"
        found.append(
            f"{seeds} seeds detect a difference of {size} {step_unit(target.unit)} to {target.baseline} with 80 % power"
        )
    return found


def unmeasured(target: TaskColumn) -> list[str]:
    """Describe why a cost has no value at all."""
    found = []
    for column in COSTS:
        readings = [c.quantities[column.name] for c in target.contenders if column.name in c.quantities]
        if readings and not any(reading.estimate for reading in readings):
            found.append(f"{column.heading}: not measured: {readings[0].reason}")
    return found


def spent(target: TaskColumn) -> list[str]:
    """Describe what each contender spent over all its trials, one line per cost that adds up."""
    found = []
    for column in COSTS:
        readings = [(c.label, c.quantities[column.name]) for c in target.contenders if column.name in c.quantities]
        totals = [f"{label} {quantity(q.total, q.unit)}" for label, q in readings if q.total is not None]
        if totals:
            found.append(f"{column.heading} of all trials, including failed ones: {', '.join(totals)}")
    return found


def methods(targets: Iterable[TaskColumn]) -> list[tuple[str, str]]:
    """Describe for each cost how it was measured, and in which unit."""
    found = []
    contenders = [contender for target in targets for contender in target.contenders]
    for column in COSTS:
        readings = [c.quantities[column.name] for c in contenders if _has(c, column.name)]
        known = {reading.method for reading in readings}
        if known:
            how = known.pop() if len(known) == 1 else "differs between strategies: see report.csv"
            found.append(
                (column.heading, f"{how}; in {' or '.join(dict.fromkeys(reading.unit for reading in readings))}")
            )
    return found


def flagged(target: TaskColumn) -> list[str]:
    """Describe what readers must know about a cost before comparing it."""
    found = []
    for column in COSTS:
        by_flag: dict[str, list[str]] = {}
        for contender in target.contenders:
            reading = contender.quantities.get(column.name)
            for flag in reading.flags if reading and reading.estimate else ():
                by_flag.setdefault(flag, []).append(contender.label)
        found += [f"{column.heading}: {flag}: {', '.join(labels)}" for flag, labels in by_flag.items()]
    return found


def cell(contender: Contender, name: str) -> str:
    """Write one cell; a score includes its interval."""
    found = contender.quantities.get(name)
    if found is None:
        return ""
    if found.estimate is None:
        return "–"
    return share_interval(found.estimate, found.unit) if _is_score(found) else quantity(found.estimate.mean, found.unit)


def with_interval(found: Quantity) -> str:
    """Write a measurement with its interval, or a dash."""
    if found.estimate is None:
        return "–"
    if found.name in CHANGES:
        return point_interval(found.estimate, found.unit)
    if _is_score(found):
        return share_interval(found.estimate, found.unit)
    text = quantity(found.estimate.mean, found.unit)
    known = found.estimate
    if known.low is None or known.high is None or known.deviation == 0:
        return text
    low = max(0.0, known.low) if known.mean >= 0 else known.low
    numbers, units = zip(
        *(one.rpartition(" ")[::2] for one in (text, quantity(low, found.unit), quantity(known.high, found.unit))),
        strict=True,
    )
    # A unit that all three share is written once.
    low_text, high_text = (f"{number} {unit}" for number, unit in zip(numbers[1:], units[1:], strict=True))
    return f"{text} [{numbers[1]}, {numbers[2]}]" if len(set(units)) == 1 else f"{text} [{low_text}, {high_text}]"


def _has(contender: Contender, name: str) -> bool:
    return name in contender.quantities and contender.quantities[name].estimate is not None


def _is_score(found: Quantity) -> bool:
    return found.unit == "1" or found.scope == "test"
