"""A record: what is left of a trial, written once and never edited."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from ..api.measurement import Measurement, Number, Phase, Samples, Shared  # noqa: TC001 - pydantic resolves the field types at run time
from ..errors import RunError
from ..files import check_version, parse_json
from .record_schema import check_shape

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA: Literal["ftbench.record/1"] = "ftbench.record/1"
Status = Literal["ok", "oom", "timeout", "error", "diverged", "infra", "cancelled", "skipped", "not-applicable"]
FAILED: tuple[Status, ...] = ("oom", "timeout", "error", "diverged", "infra")
"""The statuses that make a run exit with 1."""


@dataclass(frozen=True)
class Failure:
    """Why a trial has no scores."""

    kind: str
    """The exception's name, the signal, the limit, or whose memory ran out."""
    message: str
    """One line."""
    traceback: str | None = None
    """The Python traceback, where there was one."""


@dataclass(frozen=True)
class Attempt:
    """A try at a trial that was not the last one, and how it ended."""

    number: int
    """From 1."""
    status: Status
    """`infra` where it was tried again by itself, `cancelled` where somebody stopped it, else what `ftbench retry` found."""
    kind: str
    """The exception's name, the signal, or the limit."""
    message: str
    """One line."""
    seconds: Number | None = None
    """From the start of its process to its end; None where the runner ended before it."""


@dataclass(frozen=True)
class Curve:
    """How one stage of training went; points are thinned to a few hundred."""

    task: str
    """Label of the task trained on."""
    points: tuple[dict[str, Number], ...]
    """`step`, `examples`, `seconds`, `task_loss`, `loss`; each loss the mean since the point before."""
    validation: tuple[dict[str, Number], ...]
    """`step` and the task's metrics on the validation split."""
    planned: int = 0
    """Steps the protocol asks for."""
    made: int = 0
    """Steps made: fewer where training stopped early."""
    kept: int | None = None
    """The step whose weights were kept, where the protocol keeps those that are best on the validation split."""
    skipped: int = 0
    """Steps left out because a gradient overflowed fp16."""


@dataclass(frozen=True)
class Retention:
    """What a sequence left of its earlier tasks."""

    tasks: tuple[str, ...]
    """Labels, in the order of learning."""
    matrix: tuple[tuple[Number | None, ...], ...]
    """`matrix[i][j]`: the primary metric on task j after learning task i; None where j was not yet learnt."""


@dataclass(frozen=True)
class Record:
    """A trial, how it ended, and what was measured; readable without the code that wrote it."""

    id: str
    """The trial's id."""
    cell: str
    """The trial's cell: what it may be compared on."""
    environment: str
    """Hash of software and hardware."""
    trial: dict[str, Any]
    """The trial, whole."""
    status: Status
    """How it ended; never inferred from a score."""
    primary: str
    """Name of the metric that ranks."""
    measurements: tuple[Measurement, ...] = ()
    phases: tuple[Phase, ...] = ()
    shared: tuple[Shared, ...] = ()
    """Work that other trials use too, done here or read; what it took is charged to all of them."""
    curves: tuple[Curve, ...] = ()
    confusion: dict[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    """Task label → counts on the test split, row = true class, column = predicted."""
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Task label → names of the classes."""
    retention: Retention | None = None
    """For sequences."""
    samples: tuple[Samples, ...] = ()
    """What was sampled from outside while it ran."""
    failure: Failure | None = None
    attempts: int = 1
    """The number of the attempt that ended so; 0 where none was needed."""
    earlier: tuple[Attempt, ...] = ()
    """The attempts before it."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Environment, split and order hashes, licences, notes."""
    schema: Literal["ftbench.record/1"] = SCHEMA

    def measurement(self, name: str, task: str = "") -> Measurement | None:
        """Find a measurement by name and, for a sequence, task."""
        return next((m for m in self.measurements if m.name == name and m.task == task), None)

    def to_json(self) -> str:
        """Write the record; NaN cannot occur."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = "record") -> Record:
        """Read a record.

        Raises:
            RunError: not JSON, not a record, or a record of a version this ftbench does not know.
        """
        try:
            # Strictly: a text is no number, be it "0.5" or "inf".
            record = record_adapter().validate_json(text, strict=True)
            check_shape(record)
        except ValueError as error:
            raise _refused(text, source, error) from None
        return record


def _refused(text: str, source: str, error: ValueError) -> RunError:
    """Say what is wrong: first of all that it is no JSON, or of another version."""
    from pydantic import ValidationError

    table = parse_json(text, source)
    check_version(table.get("schema") if isinstance(table, dict) else None, SCHEMA, source)
    told = [str(error)]
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        told = [".".join(map(str, first["loc"])), first["msg"]]
    return RunError(": ".join([f"{source}: not a record", *filter(None, told)]))


@cache
def record_adapter() -> TypeAdapter[Record]:
    """Give pydantic's reading of a record; made once, because making it is slow."""
    from pydantic import TypeAdapter

    return TypeAdapter(Record)
