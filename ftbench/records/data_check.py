"""The findings of a run's data check: written next to its records, and read without being trusted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, MaxLen

from ..errors import RunError, RunStopped
from ..files import check_version, parse_json, read_text, write_whole
from ..formatting import one_line
from .redaction import redacted_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from pydantic import TypeAdapter

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Severities, the most severe first."""
FILE = "data.json"
"""File name, in a run directory and in its bundle."""
SCHEMA = "ftbench.data/1"
MOST_TASKS, MOST_FLAWS, MOST_EXAMPLES = 1_000, 100, 10
"""Maximum numbers of tasks, of flaws of a task, and of examples of a flaw in a file."""
LETTERS = 400
"""Maximum letters of a text in a file that are read."""


@dataclass(frozen=True)
class Flaw:
    """One kind of flaw in a data set."""

    severity: Severity
    """`error`: results are meaningless, or training fails. `warning`: numbers are misleading. `note`: worth knowing."""
    kind: str
    """Name of the kind."""
    count: Annotated[int, Ge(0)]
    """Number of affected rows, pairs or classes."""
    examples: Annotated[tuple[str, ...], MaxLen(MOST_EXAMPLES)]
    """Some of the affected rows or classes."""
    advice: str
    """What to do."""

    @property
    def text(self) -> str:
        """Count, kind, examples and advice, on one line."""
        examples = f": {', '.join(self.examples)}" if self.examples else ""
        return f"{self.count:,} × {self.kind}{examples}; {self.advice}"


@dataclass(frozen=True)
class TaskFlaws:
    """Flaws in the data of one task of a suite."""

    task: str
    """The task's label."""
    flaws: Annotated[tuple[Flaw, ...], MaxLen(MOST_FLAWS)]
    """The flaws, most severe first."""

    def of(self, severity: Severity) -> tuple[Flaw, ...]:
        """Return the flaws of one severity."""
        return tuple(flaw for flaw in self.flaws if flaw.severity == severity)


@dataclass(frozen=True)
class DataCheck:
    """What the data check of a run found before its first trial."""

    tasks: Annotated[tuple[TaskFlaws, ...], MaxLen(MOST_TASKS)] = ()
    """Every task whose data were checked, also those without a flaw, in suite order."""
    allowed: bool = False
    """Whether the user ran the suite in spite of errors."""


def write_data_check(run: Path, check: DataCheck) -> None:
    """Write `data.json` into a run directory, with paths and names redacted.

    Raises:
        RunStopped: the disk is full, or has failed.
    """
    table = {"schema": SCHEMA, **asdict(_mapped(check, redacted_text))}
    try:
        write_whole(run / FILE, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise RunStopped(f"{run}: cannot be written: {error.strerror}") from error


def read_data_check(run: Path) -> DataCheck | None:
    """Read `data.json` of a run directory or an unpacked bundle; return None if the run has none.

    Texts are made printable and cut.

    Raises:
        RunError: the file is not the result of a data check, or is of a newer version.
    """
    from pydantic import ValidationError

    path = run / FILE
    try:
        table = parse_json(read_text(path), str(path))
    except FileNotFoundError:
        return None
    check_version(table.get("schema") if isinstance(table, dict) else None, SCHEMA, str(path))
    try:
        found = _adapter().validate_python(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RunError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return _mapped(found, _printable)


def _printable(text: str) -> str:
    return one_line(text, LETTERS)


def _mapped(check: DataCheck, change: Callable[[str], str]) -> DataCheck:
    """Return the check with all texts but severities changed."""
    return replace(
        check,
        tasks=tuple(
            TaskFlaws(
                change(one.task),
                tuple(
                    replace(
                        flaw,
                        kind=change(flaw.kind),
                        examples=tuple(map(change, flaw.examples)),
                        advice=change(flaw.advice),
                    )
                    for flaw in one.flaws
                ),
            )
            for one in check.tasks
        ),
    )


@cache
def _adapter() -> TypeAdapter[DataCheck]:
    from pydantic import TypeAdapter

    return TypeAdapter(DataCheck)


def merged_flaws(runs: Iterable[Iterable[TaskFlaws]]) -> tuple[TaskFlaws, ...]:
    """Return the flaws of several runs by task, each flaw once."""
    found: dict[str, dict[Flaw, None]] = {}
    for tasks in runs:
        for one in tasks:
            found.setdefault(one.task, {}).update(dict.fromkeys(one.flaws))
    return tuple(
        TaskFlaws(task, tuple(sorted(flaws, key=lambda flaw: SEVERITIES.index(flaw.severity))))
        for task, flaws in found.items()
    )


def new_flaws(head: DataCheck | None, base: DataCheck | None) -> list[str]:
    """Return a line for each error and warning of a run that its baseline has not, or has for fewer rows."""
    known = {(one.task, flaw.kind): flaw.count for one in (base.tasks if base else ()) for flaw in one.flaws}
    found = []
    for one in head.tasks if head else ():
        for flaw in one.flaws:
            before = known.get((one.task, flaw.kind), 0)
            if flaw.severity != "note" and flaw.count > before:
                against = "the data of the baseline were not checked" if base is None else f"{before:,} in the baseline"
                found.append(f"{one.task}: {flaw.severity}: {flaw.text} ({against})")
    return found


def lines_of(tasks: Sequence[TaskFlaws], *severities: Severity) -> list[str]:
    """Return a line for each flaw of the given severities, with its task."""
    return [
        f"{one.task}: {flaw.severity} {flaw.text}" for one in tasks for flaw in one.flaws if flaw.severity in severities
    ]
