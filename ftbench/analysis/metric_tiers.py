"""Tiers and ranges of measurements, by name.

The tier says what must be equal before values are compared, and how a gate checks them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from ..stats.intervals import ANY, POSITIVE, SHARE, Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..api.measurement import Measurement
    from ..records.comparability import Part
    from ..records.record import Record

Tier = Literal["exact", "trace", "quality", "memory", "speed"]

_COUNT_PARTS: tuple[Part, ...] = ("data", "protocol")
_ACCOUNTING_PARTS: tuple[Part, ...] = ("data", "protocol", "software")
_ALL_PARTS: tuple[Part, ...] = ("data", "protocol", "software", "hardware")

STEPS = "planned_steps"
"""Number of optimizer steps planned by the protocol; from the curves of a record."""
ORDER = "data_order"
"""Hash of the order of the training examples; from the provenance of a record."""
TRACE = "loss_trace"
"""Training loss, step by step; from the curves of a record."""

EXACT: Mapping[str, tuple[Part, ...]] = {
    "trainable_parameters": _COUNT_PARTS,
    "trainable_backbone_parameters": _COUNT_PARTS,
    "trainable_head_parameters": _COUNT_PARTS,
    "inference_parameters": _COUNT_PARTS,
    STEPS: _COUNT_PARTS,
    ORDER: _COUNT_PARTS,
    "flops_per_step": _ACCOUNTING_PARTS,
    "peak_tensor_bytes": _ACCOUNTING_PARTS,
}
"""Measurements that a gate requires to be equal → the parts that must match for that. Parts that neither side has are
left out."""

DERIVED: Mapping[str, tuple[Part, ...]] = {
    "pretrained_parameters": _COUNT_PARTS,
    "stored_bytes": _COUNT_PARTS,
    "flops_per_example": _ACCOUNTING_PARTS,
    "peak_parameter_bytes": _ACCOUNTING_PARTS,
    "peak_gradient_bytes": _ACCOUNTING_PARTS,
    "peak_optimizer_bytes": _ACCOUNTING_PARTS,
    "peak_activation_bytes": _ACCOUNTING_PARTS,
    "peak_extra_bytes": _ACCOUNTING_PARTS,
}
"""Exact measurements that follow from those in `EXACT` or are parts of them; compared, but not checked by a gate."""

MEMORY: tuple[str, ...] = ("peak_allocated_memory",)
"""Live bytes as counted by the allocator; neither reserved bytes nor the memory use of a whole device."""

SPEED: tuple[str, ...] = ("throughput",)
"""Checked only if both sides ran in one job, with alternating trials."""

_SCORE_SCOPES = ("test", "")
_MACHINE_UNITS = ("s", "B", "J", "W", "Hz", "events")


@dataclass(frozen=True)
class Exact:
    """A value that is bit-identical in two equal trials."""

    name: str
    """A key of `EXACT`."""
    task: str
    """Task of a sequence; empty for the whole trial."""
    value: float | str
    unit: str = ""


class Reading(Protocol):
    """The parts of a measurement that decide its tier."""

    @property
    def scope(self) -> str:
        """What it covers."""

    @property
    def unit(self) -> str:
        """Its unit."""


def tier_of(name: str, reading: Reading | None = None) -> Tier:
    """Return the tier of a measurement; one that is in no table is a score, unless `reading` shows that it is not.

    A score covers the test split and is not a time, rate, memory or power, which depend on the machine and its load.
    """
    if name in EXACT or name in DERIVED:
        return "exact"
    if name in MEMORY:
        return "memory"
    if name == TRACE:
        return "trace"
    if name in SPEED or (reading is not None and _depends_on_machine(reading)):
        return "speed"
    return "quality"


def _depends_on_machine(reading: Reading) -> bool:
    return reading.scope not in _SCORE_SCOPES or reading.unit in _MACHINE_UNITS or reading.unit.endswith("/s")


def needed(name: str, reading: Measurement | None = None) -> tuple[Part, ...]:
    """Return the parts that must be equal before two values of a measurement are compared."""
    if name in EXACT or name in DERIVED:
        return {**EXACT, **DERIVED}[name]
    return _ACCOUNTING_PARTS if tier_of(name, reading) == "quality" else _ALL_PARTS


def exact_values(record: Record) -> Iterator[Exact]:
    """Yield the values of a record that must be bit-identical in two equal trials."""
    for found in record.measurements:
        if found.name in EXACT and found.value is not None:
            yield Exact(found.name, found.task, found.value, found.unit)
    sequence = len(record.trial["stages"]) > 1
    for curve in record.curves:
        yield Exact(STEPS, curve.task if sequence else "", float(curve.planned), "steps")
    for task, order in record.provenance.get("orders", {}).items():
        yield Exact(ORDER, task if sequence else "", order)


def loss_trace(record: Record) -> dict[str, tuple[float, ...]]:
    """Return the minimised loss of each stage, with one point for every step or every few steps."""
    return {curve.task: tuple(curve.points.column("loss")) for curve in record.curves}


def repeats(one: Record, other: Record) -> bool:
    """Return whether two trials are bit-identical in everything that does not depend on machine load."""
    return _deterministic_results(one) == _deterministic_results(other)


def trained_alike(one: Record, other: Record) -> bool:
    """Return whether two trainings were bit-identical, even if other counts of the trials differ."""
    traces = loss_trace(one)
    return (any(traces.values()) and traces == loss_trace(other)) or repeats(one, other)


def _deterministic_results(record: Record) -> object:
    scores = {(m.name, m.task): m.value for m in record.measurements if tier_of(m.name, m) == "quality"}
    exact = {(e.name, e.task): e.value for e in exact_values(record)}
    return record.status, scores, exact, loss_trace(record), record.confusion


# ---- ranges --------------------------------------------------------------------------------------------------------

CORRELATIONS = ("pearson", "spearman", "mcc", "forgetting", "backward_transfer")
"""Scores between −1 and 1: correlations, and changes of shares."""
_SIGNED_UNITS = ("°C",)


def range_of(name: str, unit: str, direction: str, values: Iterable[float]) -> Range:
    """Return the range of a measurement.

    Args:
        name: name of the measurement.
        unit: its unit.
        direction: which way is better.
        values: measured values; one outside of the expected range shows that the range is another one.
    """
    known = list(values)
    ends = (min(known), max(known)) if known else ()
    for candidate in _candidates(name, unit, direction):
        if all(map(candidate.holds, ends)):
            return candidate
    return ANY


def _candidates(name: str, unit: str, direction: str) -> tuple[Range, ...]:
    if unit in _SIGNED_UNITS:
        return ()
    if name == "r2":
        return (Range(None, 1.0),)
    if unit != "1":
        return (POSITIVE,)
    if name in CORRELATIONS:
        return (Range(-1.0, 1.0),)
    # Error rates per word or character can exceed one.
    return (POSITIVE,) if direction == "lower" and name.endswith("_rate") else (SHARE, POSITIVE)


def span_of_differences(within: Range) -> Range:
    """Return the range of differences of two values of a range."""
    if within.low is None or within.high is None:
        return ANY
    return Range(within.low - within.high, within.high - within.low)
