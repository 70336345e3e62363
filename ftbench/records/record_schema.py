"""What every reader of a record looks up in those parts of it that may hold anything: checked once, when it is read."""

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
"""The name of a folder, and no way out of one."""


Label = Annotated[str, Len(1, 200), Predicate(str.isprintable)]
"""What tables and pages call something."""
POINT = frozenset(("step", "examples", "seconds", "task_loss", "loss"))
"""What each point of a curve holds."""


@dataclass(frozen=True)
class Part:
    """A backbone, a task or a strategy, as a record names it."""

    use: str
    label: Label
    options: Mapping[str, Any]
    fingerprint: Mapping[str, Any]


@dataclass(frozen=True)
class Training:
    """How a task was trained."""

    lr: float


@dataclass(frozen=True)
class Stage:
    """A task with its protocol."""

    task: Part
    training: Training


@dataclass(frozen=True)
class Trial:
    """What was run."""

    suite: str
    target: Label
    modality: str
    backbone: Part
    stages: Annotated[tuple[Stage, ...], MinLen(1)]
    strategy: Part
    seed: int
    split_seed: int
    device: str
    threads: int
    code: str


@dataclass(frozen=True)
class Origin:
    """Where data or weights come from."""

    licence: str
    source: str
    note: str


@dataclass(frozen=True)
class Harness:
    """What a trial was run by."""

    version: str
    training: int
    measuring: int


@dataclass(frozen=True)
class Provenance:
    """Where everything comes from, as far as the trial came."""

    software: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    orders: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Origin] = field(default_factory=dict)
    backbone: Origin | None = None
    harness: Harness | None = None
    started: float | None = None
    finished: float | None = None


@dataclass(frozen=True)
class Shape:
    """Those parts of a record that may hold anything, as far as somebody looks into them."""

    id: Name
    cell: Name
    environment: Name
    trial: Trial
    provenance: Provenance = field(default_factory=Provenance)


def check_shape(record: Record) -> None:
    """Refuse a record in which something is missing that is looked up.

    Raises:
        ValueError: names it.
    """
    # Only as JSON are these parts checked strictly, and what is no finite number does not become JSON.
    table = {part.name: getattr(record, part.name) for part in fields(Shape)}
    _adapter().validate_json(json.dumps(table, allow_nan=False), strict=True)
    for curve in record.curves:
        # Points of a curve are all alike, and looked at once.
        kinds = set(map(tuple, curve.points))
        if not all(map(POINT.issubset, kinds)) or not all("step" in scores for scores in curve.validation):
            raise ValueError(f"curves: each point needs {', '.join(sorted(POINT))}, each validation its step")
    for task, matrix in record.confusion.items():
        _square(matrix, len(record.classes.get(task, matrix)), "confusion")
    if record.retention is not None:
        _square(record.retention.matrix, len(record.retention.tasks), "retention")


def _square(matrix: tuple[tuple[Any, ...], ...], size: int, name: str) -> None:
    if [len(row) for row in matrix] != [size] * size:
        raise ValueError(f"{name}: a matrix of {size} rows and columns is needed")


@cache
def _adapter() -> TypeAdapter[Shape]:
    """Give pydantic's reading of the shape; made once, because making it is slow."""
    from pydantic import TypeAdapter

    return TypeAdapter(Shape)
