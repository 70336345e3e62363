"""A record: the result of a trial, written once and never edited."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from ..api.measurement import Measurement, Number, Phase, Samples, Shared  # noqa: TC001 - pydantic reads the types
from ..errors import RunError
from ..files import check_version, parse_json
from .record_schema import POINT, RecordedParts, parts_adapter

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
    """Name of the exception, the signal or the limit, or the device that ran out of memory."""
    message: str
    """One line."""
    traceback: str | None = None
    """The Python traceback, if there was one."""


@dataclass(frozen=True)
class Attempt:
    """An earlier attempt at a trial, and how it ended."""

    number: int
    """Counted from 1."""
    status: Status
    """`infra` if ftbench retried it, `cancelled` if the user stopped it, otherwise the status `ftbench retry` found."""
    kind: str
    """The exception's name, the signal, or the limit."""
    message: str
    """One line."""
    seconds: Number | None = None
    """Seconds from the start to the end of its process; None if the runner ended first."""


@dataclass(frozen=True)
class Curve:
    """The learning curve of one training stage, thinned to a few hundred points."""

    task: str
    """Label of the task trained on."""
    points: tuple[dict[str, Number], ...]
    """`step`, `examples`, `seconds`, `task_loss`, `loss`; each loss is the mean since the previous point."""
    validation: tuple[dict[str, Number], ...]
    """`step` and the task's metrics on the validation split."""
    planned: int = 0
    """Steps the protocol plans."""
    made: int = 0
    """Steps made; fewer than planned after early stopping."""
    kept: int | None = None
    """Step of the best weights, if the protocol keeps the best weights on the validation split."""
    skipped: int = 0
    """Steps skipped because a gradient overflowed fp16."""


@dataclass(frozen=True)
class Retention:
    """Scores on the earlier tasks of a sequence after each stage."""

    tasks: tuple[str, ...]
    """Task labels, in training order."""
    matrix: tuple[tuple[Number | None, ...], ...]
    """`matrix[i][j]`: the primary metric on task j after training on task i; None if j was not trained on yet."""


@dataclass(frozen=True)
class Record:
    """A trial, its status and its measurements; readable without the code that wrote it."""

    id: str
    """Id of the trial."""
    cell: str
    """Hash of the trial's configuration: everything in it but the code."""
    environment: str
    """Hash of the software and hardware."""
    trial: dict[str, Any]
    """The complete trial."""
    status: Status
    """How the trial ended; never inferred from a score."""
    primary: str
    """Name of the metric that strategies are ranked by."""
    measurements: tuple[Measurement, ...] = ()
    phases: tuple[Phase, ...] = ()
    shared: tuple[Shared, ...] = ()
    """Work shared with other trials, done here or read from the cache; each trial is charged its full cost."""
    curves: tuple[Curve, ...] = ()
    confusion: dict[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    """Task label → counts on the test split; rows are true classes, columns predicted ones."""
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Task label → class names."""
    retention: Retention | None = None
    """Only for sequences."""
    samples: tuple[Samples, ...] = ()
    """Time series sampled by the runner during the trial."""
    failure: Failure | None = None
    attempts: int = 1
    """Number of the attempt that left this record; 0 if none was needed."""
    earlier: tuple[Attempt, ...] = ()
    """The attempts before that one."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Environment, hashes of splits and example orders, licences, notes."""
    schema: Literal["ftbench.record/1"] = SCHEMA

    def measurement(self, name: str, task: str = "") -> Measurement | None:
        """Return the measurement with this name and, for a sequence, this task; None if there is none."""
        return next((m for m in self.measurements if m.name == name and m.task == task), None)

    def to_json(self) -> str:
        """Return the record as JSON; raises ValueError on NaN."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = "record") -> Record:
        """Parse a record.

        Raises:
            RunError: the text is not JSON, not a record, or a record of a version this ftbench does not know.
        """
        try:
            # Strict: strings such as "0.5" or "inf" are not numbers.
            record = record_adapter().validate_json(text, strict=True)
            _check_shape(record)
        except ValueError as error:
            raise _read_error(text, source, error) from None
        return record


def _check_shape(record: Record) -> None:
    """Raise if a key that ftbench reads is missing or has the wrong type, or a matrix or curve has the wrong shape.

    Raises:
        ValueError: names what is wrong.
    """
    # pydantic checks strictly only in JSON mode; the dump also rejects numbers that are not finite.
    table = {part.name: getattr(record, part.name) for part in fields(RecordedParts)}
    parts_adapter().validate_json(json.dumps(table, allow_nan=False), strict=True)
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


def _read_error(text: str, source: str, error: ValueError) -> RunError:
    """Return the error to raise; not being JSON, or being of another version, comes first."""
    from pydantic import ValidationError

    table = parse_json(text, source)
    check_version(table.get("schema") if isinstance(table, dict) else None, SCHEMA, source)
    lines = [str(error)]
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        lines = [".".join(map(str, first["loc"])), first["msg"]]
    return RunError(": ".join([f"{source}: not a record", *filter(None, lines)]))


@cache
def record_adapter() -> TypeAdapter[Record]:
    """Return pydantic's validator for records; cached because building it is slow."""
    from pydantic import TypeAdapter

    return TypeAdapter(Record)
