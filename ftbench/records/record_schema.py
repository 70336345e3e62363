"""Validate the loosely typed parts of a record (`trial`, `provenance`) once, when the record is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping  # noqa: TC003 - pydantic resolves the field types at run time
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Len, MinLen, Predicate

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from .record import Record


def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name))


_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)
Name = Annotated[str, Predicate(_is_name)]
"""A folder name that cannot leave its parent folder."""


Label = Annotated[str, Len(1, 200), Predicate(str.isprintable)]
"""A name shown in tables and pages."""
POINT = frozenset(("step", "examples", "seconds", "task_loss", "loss"))
"""Keys of each point of a curve."""


@dataclass(frozen=True)
class RecordedPart:
    """A backbone, a task or a strategy, as recorded."""

    use: str
    label: Label
    options: Mapping[str, Any]
    fingerprint: Mapping[str, Any]


@dataclass(frozen=True)
class RecordedTraining:
    """The training protocol of a task, as recorded."""

    lr: float


@dataclass(frozen=True)
class RecordedStage:
    """A task with its training protocol, as recorded."""

    task: RecordedPart
    training: RecordedTraining


@dataclass(frozen=True)
class RecordedTrial:
    """The trial, as recorded."""

    suite: str
    target: Label
    modality: str
    backbone: RecordedPart
    stages: Annotated[tuple[RecordedStage, ...], MinLen(1)]
    strategy: RecordedPart
    seed: int
    split_seed: int
    device: str
    threads: int
    code: str


@dataclass(frozen=True)
class RecordedOrigin:
    """The origin of data or weights, as recorded."""

    licence: str
    source: str
    note: str


@dataclass(frozen=True)
class RecordedHarness:
    """The versions of ftbench that ran a trial, as recorded."""

    version: str
    training: int
    measuring: int


@dataclass(frozen=True)
class RecordedProvenance:
    """The provenance of a trial, as recorded; a trial that failed early has only part of it."""

    software: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    orders: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, RecordedOrigin] = field(default_factory=dict)
    backbone: RecordedOrigin | None = None
    harness: RecordedHarness | None = None
    started: float | None = None
    finished: float | None = None


@dataclass(frozen=True)
class RecordedParts:
    """The loosely typed parts of a record, limited to the keys that ftbench reads."""

    id: Name
    cell: Name
    environment: Name
    trial: RecordedTrial
    provenance: RecordedProvenance = field(default_factory=RecordedProvenance)


def check_shape(record: Record) -> None:
    """Raise if a key that ftbench reads is missing or has the wrong type, or a matrix or curve has the wrong shape.

    Raises:
        ValueError: names what is wrong.
    """
    # pydantic checks strictly only in JSON mode; the dump also rejects numbers that are not finite.
    table = {part.name: getattr(record, part.name) for part in fields(RecordedParts)}
    _adapter().validate_json(json.dumps(table, allow_nan=False), strict=True)
    for curve in record.curves:
        # The points of a curve have the same keys, so check each set of keys once.
        kinds = set(map(tuple, curve.points))
        if not all(map(POINT.issubset, kinds)) or not all("step" in scores for scores in curve.validation):
            raise ValueError(f"curves: each point needs {', '.join(sorted(POINT))}, each validation its step")
    for task, matrix in record.confusion.items():
        _check_square(matrix, len(record.classes.get(task, matrix)), "confusion")
    if record.retention is not None:
        _check_square(record.retention.matrix, len(record.retention.tasks), "retention")


def _check_square(matrix: tuple[tuple[Any, ...], ...], size: int, name: str) -> None:
    if [len(row) for row in matrix] != [size] * size:
        raise ValueError(f"{name}: a matrix of {size} rows and columns is needed")


@cache
def _adapter() -> TypeAdapter[RecordedParts]:
    """Return pydantic's validator; cached because building it is slow."""
    from pydantic import TypeAdapter

    return TypeAdapter(RecordedParts)
