"""What every reader of a record looks up in those parts of it that may hold anything: checked once, when it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - pydantic resolves the field types at run time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Len, MinLen, Predicate

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name))


_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)
Name = Annotated[str, Predicate(_is_name)]
"""The name of a folder, and no way out of one."""


Label = Annotated[str, Len(1, 200), Predicate(str.isprintable)]
"""What tables and pages call something."""


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
class Point:
    """A point of a curve."""

    step: float
    examples: float
    seconds: float
    task_loss: float
    loss: float


@dataclass(frozen=True)
class Validation:
    """Scores at a step."""

    step: float


@dataclass(frozen=True)
class Curve:
    """The course of a training."""

    points: tuple[Point, ...]
    validation: tuple[Validation, ...]


@dataclass(frozen=True)
class Retention:
    """What a sequence left."""

    tasks: tuple[str, ...]
    matrix: tuple[tuple[float | None, ...], ...]

    def __post_init__(self) -> None:
        """Refuse a matrix that is not of the tasks."""
        _square(self.matrix, len(self.tasks))


@dataclass(frozen=True)
class Shape:
    """A record, as far as its types do not say."""

    id: Name
    cell: Name
    environment: Name
    trial: Trial
    provenance: Provenance = field(default_factory=Provenance)
    curves: tuple[Curve, ...] = ()
    confusion: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    retention: Retention | None = None

    def __post_init__(self) -> None:
        """Refuse counts that are not of the classes."""
        for task, matrix in self.confusion.items():
            _square(matrix, len(self.classes.get(task, matrix)))


def _square(matrix: tuple[tuple[Any, ...], ...], size: int) -> None:
    if [len(row) for row in matrix] != [size] * size:
        raise ValueError(f"a matrix of {size} rows and columns is needed")


@cache
def shape_adapter() -> TypeAdapter[Shape]:
    """Give pydantic's reading of the shape; made once, because making it is slow."""
    from pydantic import TypeAdapter

    return TypeAdapter(Shape)
