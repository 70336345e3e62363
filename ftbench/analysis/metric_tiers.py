"""What a comparison must know of a measurement by its name: what must be equal for it, and how a gate holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..api.measurement import Measurement
    from ..records.comparability import Part
    from ..records.record import Record

Tier = Literal["exact", "trace", "quality", "memory", "speed"]

_COUNTS: tuple[Part, ...] = ("data", "protocol")
_ACCOUNTED: tuple[Part, ...] = ("data", "protocol", "software")
_ALL: tuple[Part, ...] = ("data", "protocol", "software", "hardware")

STEPS = "planned_steps"
"""Optimizer steps the protocol comes to; from a record's curves."""
ORDER = "data_order"
"""Hash of the order in which examples were seen; from a record's provenance."""
TRACE = "loss_trace"
"""The training loss, step by step; from a record's curves."""

EXACT: Mapping[str, tuple[Part, ...]] = {
    "trainable_parameters": _COUNTS,
    "trainable_backbone_parameters": _COUNTS,
    "trainable_head_parameters": _COUNTS,
    "inference_parameters": _COUNTS,
    STEPS: _COUNTS,
    ORDER: _COUNTS,
    "flops_per_step": _ACCOUNTED,
    "peak_tensor_bytes": _ACCOUNTED,
}
"""Held to equality, and the parts that must be equal for that; of these, those that neither side has are left out."""

BESIDE: Mapping[str, tuple[Part, ...]] = {
    "pretrained_parameters": _COUNTS,
    "stored_bytes": _COUNTS,
    "flops_per_example": _ACCOUNTED,
    "peak_parameter_bytes": _ACCOUNTED,
    "peak_gradient_bytes": _ACCOUNTED,
    "peak_optimizer_bytes": _ACCOUNTED,
    "peak_activation_bytes": _ACCOUNTED,
    "peak_extra_bytes": _ACCOUNTED,
}
"""As exact as those, and follow from them or are parts of them: compared, and not held once more."""

MEMORY: tuple[str, ...] = ("peak_allocated_memory",)
"""Live bytes by an allocator's own count; never what it reserved, nor what a whole device held."""

SPEED: tuple[str, ...] = ("throughput",)
"""Held only where both sides ran in one job, trial by trial in turn."""

_SCORED = ("test", "")
_OF_MACHINES = ("s", "B", "J", "W", "Hz", "events")


@dataclass(frozen=True)
class Exact:
    """A value that two equal trials share to the last bit."""

    name: str
    """Of the table `EXACT`."""
    task: str
    """The task of a sequence it is about; empty for the whole trial."""
    value: float | str
    unit: str = ""


def tier_of(name: str, reading: Measurement | None = None) -> Tier:
    """Tell what kind a measurement is of; what the tables do not name is a score, unless a reading of it says otherwise.

    A score is about the test split, and is no time, rate, memory or power: all those depend on the machine, and on what else it does.
    """
    if name in EXACT or name in BESIDE:
        return "exact"
    if name in MEMORY:
        return "memory"
    if name == TRACE:
        return "trace"
    if name in SPEED or (reading is not None and _is_of_machines(reading)):
        return "speed"
    return "quality"


def _is_of_machines(reading: Measurement) -> bool:
    return reading.scope not in _SCORED or reading.unit in _OF_MACHINES or reading.unit.endswith("/s")


def needed(name: str, reading: Measurement | None = None) -> tuple[Part, ...]:
    """Give the parts that must be equal before two values of a measurement are compared."""
    if name in EXACT or name in BESIDE:
        return {**EXACT, **BESIDE}[name]
    return _ACCOUNTED if tier_of(name, reading) == "quality" else _ALL


def exact_values(record: Record) -> Iterator[Exact]:
    """Yield what two equal trials share, as far as the record has it."""
    for found in record.measurements:
        if found.name in EXACT and found.value is not None:
            yield Exact(found.name, found.task, found.value, found.unit)
    sequence = len(record.trial["stages"]) > 1
    for curve in record.curves:
        yield Exact(STEPS, curve.task if sequence else "", float(curve.planned), "steps")
    for task, order in record.provenance.get("orders", {}).items():
        yield Exact(ORDER, task if sequence else "", order)


def loss_trace(record: Record) -> dict[str, tuple[float, ...]]:
    """Give what was minimised in each stage, a point for each step or for a few of them."""
    return {curve.task: tuple(point["loss"] for point in curve.points) for curve in record.curves}


def repeats(one: Record, other: Record) -> bool:
    """Tell whether two trials came to the same, to the last bit, in everything that does not depend on the machine's mood."""
    return _lasting(one) == _lasting(other)


def _lasting(record: Record) -> object:
    scores = {(m.name, m.task): m.value for m in record.measurements if tier_of(m.name, m) == "quality"}
    exact = {(e.name, e.task): e.value for e in exact_values(record)}
    return record.status, scores, exact, loss_trace(record), record.confusion
