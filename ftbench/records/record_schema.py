"""Validate the loosely typed parts of a record (`trial`, `provenance`) once, when the record is read."""

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


def are_names(*names: str) -> bool:
    """Return whether all are folder names that cannot leave their parent folder."""
    return all(map(_is_name, names))


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


@cache
def parts_adapter() -> TypeAdapter[RecordedParts]:
    """Return pydantic's validator; cached because building it is slow."""
    from pydantic import TypeAdapter

    return TypeAdapter(RecordedParts)
