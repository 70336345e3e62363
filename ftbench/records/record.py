"""A record: the result of a trial, written once and never edited."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ..api.measurement import Measurement, Number, Phase, Samples, Shared  # noqa: TC001 - pydantic reads the types
from ..errors import RunError
from ..files import check_parsed_size, check_version, parse_json
from .curve_points import Points
from .record_schema import POINT, RecordedParts, are_names, parts_adapter

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
    points: Points
    """`step`, `examples`, `seconds`, `task_loss`, `loss`; each loss is the mean since the previous point."""
    validation: Points
    """`step` and the task's metrics on the validation split."""
    planned: int = 0
    """Steps the protocol plans."""
    made: int = 0
    """Steps made; fewer than planned after early stopping."""
    kept: int | None = None
    """Step of the best weights, if the protocol keeps the best weights on the validation split."""
    skipped: int = 0
    """Steps skipped because a gradient overflowed fp16."""

    def __post_init__(self) -> None:
        for name in ("points", "validation"):
            given = getattr(self, name)
            if not isinstance(given, Points):
                object.__setattr__(self, name, Points(given))

    def to_table(self) -> dict[str, Any]:
        """Return the curve as a JSON object with a list of numbers per column."""
        return {**vars(self), "points": self.points.columns(), "validation": self.validation.columns()}

    def to_rows(self) -> dict[str, Any]:
        """Return the curve as a JSON object with a list of points, as records had it before."""
        return {**vars(self), "points": list(self.points), "validation": list(self.validation)}


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
        for found in self.measurements:  # faster than a generator, and it is called for every record
            if found.name == name and found.task == task:
                return found
        return None

    @property
    def is_untrained(self) -> bool:
        """Whether no parameter was trained: none was trainable, or, if that is unknown, no step was taken."""
        trainable = self.measurement("trainable_parameters")
        if trainable is not None and trainable.value is not None:
            return not trainable.value
        return not any(curve.points for curve in self.curves)

    def to_json(self) -> str:
        """Return the record as JSON, each column of a curve on one line; raises ValueError on NaN."""
        table = asdict(replace(self, curves=()))
        text = json.dumps({**table, "curves": []}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        # Text in a record has no line breaks in JSON, so only the field of the record itself is found.
        return text.replace(_NO_CURVES, f"{_NO_CURVES[:-2]}{_curves_json(self.curves)}", 1) if self.curves else text

    @classmethod
    def from_json(cls, text: str, source: str = "record", known: Known | None = None) -> Record:
        """Parse a record.

        Args:
            text: the JSON.
            source: its name in messages.
            known: parts of records that were read before, which are kept and checked only once.

        Raises:
            RunError: the text is not JSON, not a record, or a record of a version this ftbench does not know.
        """
        check_parsed_size(text, source)
        try:
            # Strict: strings such as "0.5" or "inf" are not numbers.
            record = record_adapter().validate_json(text, strict=True)
            shared = known.shared(record) if known is not None else None
            if shared is None or not are_names(record.id, record.cell, record.environment):
                _check_parts(record)
                if known is not None:
                    known.add(record)
            record = shared or record
            _check_shape(record)
        except ValueError as error:
            raise _read_error(text, source, error) from None
        return record


class Known(Protocol):
    """Parts of valid records that were read before; see `ftbench.records.known_parts.KnownParts`."""

    def shared(self, record: Record) -> Record | None:
        """Return the record with tables of an earlier one of the same form; None if there is none."""

    def add(self, record: Record) -> None:
        """Note a valid record."""


MOST = 10_000
"""Maximum number of measurements, of curves, and so on."""
KIB = 2**10
_LARGEST = {"trial": 256 * KIB, "provenance": 64 * KIB}
"""Maximum letters of the loosely typed parts as JSON."""
_STEP = frozenset(("step",))
_NO_CURVES = '\n "curves": []'


def _curves_json(curves: tuple[Curve, ...]) -> str:
    """Return curves as they are written in a record, a line for each of their fields and columns."""

    def lines(table: dict[str, Any], depth: int) -> str:
        space = " " * depth
        found = [
            f"{json.dumps(name)}: " + (lines(value, depth + 1) if value and isinstance(value, dict) else _dumped(value))
            for name, value in table.items()
        ]
        return "{" + ",".join(f"\n{space}{line}" for line in found) + f"\n{space[:-1]}}}"

    return "[" + ",".join(f"\n  {lines(curve.to_table(), 3)}" for curve in curves) + "\n ]"


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _check_parts(record: Record) -> None:
    """Raise if a key that ftbench reads is missing or has the wrong type.

    Raises:
        ValueError: names what is wrong.
    """
    # pydantic checks strictly only in JSON mode; the dump also rejects numbers that are not finite.
    table = {part.name: getattr(record, part.name) for part in fields(RecordedParts)}
    for name, most in _LARGEST.items():
        if len(json.dumps(table[name], ensure_ascii=False)) > most:
            raise ValueError(f"{name}: is larger than {most // KIB} KiB")
    parts_adapter().validate_json(json.dumps(table, allow_nan=False), strict=True)


def _check_shape(record: Record) -> None:
    """Raise if a matrix or a curve has the wrong shape.

    Raises:
        ValueError: names what is wrong.
    """
    for name in ("measurements", "phases", "shared", "samples", "curves", "earlier"):
        if len(getattr(record, name)) > MOST:
            raise ValueError(f"{name}: more than {MOST:,}")
    for curve in record.curves:
        if not curve.points.has(POINT) or not curve.validation.has(_STEP):
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
