"""What a comparison must know of a measurement by its name: what must be equal for it, and how a gate holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .comparability import Part
    from .record import Record

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

MEMORY: tuple[str, ...] = ("peak_allocated_memory",)
"""Live bytes by an allocator's own count; never what it reserved, nor what a whole device held."""

SPEED: tuple[str, ...] = ("throughput",)
"""Held only where both sides ran in one job, trial by trial in turn."""

COSTS: tuple[str, ...] = (*SPEED, *MEMORY, "train_time", "wall_time", "peak_host_memory", "peak_device_memory", "energy")
"""What depends on the machine and on what else it does."""


@dataclass(frozen=True)
class Exact:
    """A value that two equal trials share to the last bit."""

    name: str
    """Of the table `EXACT`."""
    task: str
    """The task of a sequence it is about; empty for the whole trial."""
    value: float | str
    unit: str = ""


def tier_of(name: str) -> Tier:
    """Tell how a gate holds a measurement; a score where the tables do not name it."""
    if name in EXACT:
        return "exact"
    if name in MEMORY:
        return "memory"
    if name in COSTS:
        return "speed"
    return "trace" if name == TRACE else "quality"


def needed(name: str) -> tuple[Part, ...]:
    """Give the parts that must be equal before two values of a measurement are compared."""
    if name in EXACT:
        return EXACT[name]
    return _ALL if tier_of(name) in ("memory", "speed", "trace") else _ACCOUNTED


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
    scores = {(m.name, m.task): m.value for m in record.measurements if m.scope == "test" and m.name not in COSTS}
    exact = {(e.name, e.task): e.value for e in exact_values(record)}
    return record.status, scores, exact, loss_trace(record), record.confusion
