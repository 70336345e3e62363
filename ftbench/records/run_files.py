"""Read the two other files of a run directory: the plan of its last run, and the resolved suite."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..files import MIB, check_version, parse_json, parse_toml, read_text
from ..suite.suite import Gate, Report, Statistics
from .record_schema import Name  # noqa: TC001 - pydantic resolves the field types at run time

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import TypeAdapter, ValidationError

    from ..suite.suite import Suite


PLAN, LOCK = "plan.json", "suite.lock.toml"
LARGEST_LOCK = 2 * MIB
"""Maximum size in bytes of a resolved suite; Python's TOML parser reads about a megabyte a second."""
PLAN_SCHEMA, LOCK_SCHEMA = "ftbench.plan/1", "ftbench.lock/1"
"""Files without a schema predate schemas and are read as these versions."""


@dataclass(frozen=True)
class PlannedTuning:
    """The tuning part of a plan."""

    trials: tuple[Name, ...] = ()
    """Ids of the tuning trials, which are never compared."""
    searches: tuple[dict[str, Any], ...] = ()
    """Search space and budget of each strategy on a backbone and task column."""


@dataclass(frozen=True)
class RunPlan:
    """Which records of a run directory belong to the current suite."""

    environment: Name
    """Hash of the software and hardware its trials run on."""
    trials: tuple[Name, ...]
    """Ids of its trials."""
    places: tuple[tuple[str, str, str, int], ...] = ()
    """Task column, backbone, strategy and seed of each trial, which name trials without a record."""
    tuning: PlannedTuning = field(default_factory=PlannedTuning)


@dataclass(frozen=True)
class Labelled:
    """An entry of a suite, of which only the label is read."""

    label: str


@dataclass(frozen=True)
class Lock:
    """The parts of a resolved suite that readers of records need."""

    seeds: tuple[int, ...] = ()
    tasks: tuple[Labelled, ...] = ()
    sequences: tuple[Labelled, ...] = ()
    strategies: tuple[Labelled, ...] = ()
    statistics: Statistics = field(default_factory=Statistics)
    report: Report = field(default_factory=Report)
    gate: Gate = field(default_factory=Gate)

    @property
    def labels(self) -> list[str]:
        """Labels of tasks, sequences and strategies, in suite order."""
        return [entry.label for entry in (*self.tasks, *self.sequences, *self.strategies)]


def read_plan(run: Path) -> RunPlan | None:
    """Read the plan of a run directory; return None if it has none.

    Raises:
        RunError: the file is not a plan, or is of a newer version.
    """
    path = run / PLAN
    try:
        text = read_text(path)
    except FileNotFoundError:
        return None
    return _parsed_plan(text, path)


@lru_cache(maxsize=2)
def _parsed_plan(text: str, path: Path) -> RunPlan:
    """Parse a plan; the last ones are kept, because a command reads a plan of thousands of trials several times."""
    from pydantic import ValidationError

    table = parse_json(text, str(path))
    _check(table, PLAN_SCHEMA, path)
    try:
        found = _plan_adapter().validate_python(table)
    except ValidationError as error:
        raise RunError(f"{path}: not a plan: {_first(error)}; remove the file to read every record") from None
    if len(set(found.trials)) < len(found.trials):
        raise RunError(f"{path}: not a plan: a trial is listed twice; remove the file to read every record")
    return found


def read_lock(run: Path) -> Lock:
    """Read the resolved suite of a run directory; return the defaults if it has none.

    Raises:
        RunError: the file is not a resolved suite, or is of a newer version.
    """
    from pydantic import ValidationError

    try:
        return _lock_adapter().validate_python(read_lock_table(run))
    except FileNotFoundError:
        return Lock()
    except ValidationError as error:
        raise RunError(f"{run / LOCK}: {_first(error)}") from None


def read_lock_table(run: Path) -> dict[str, Any]:
    """Read the resolved suite of a run directory as a table.

    Raises:
        FileNotFoundError: the run directory has none.
        RunError: the file is not TOML, or is of a newer version.
    """
    path = run / LOCK
    try:
        table = parse_toml(read_text(path, LARGEST_LOCK))
    except ValueError as error:
        raise RunError(f"{path}: not TOML: {error}") from None
    _check(table, LOCK_SCHEMA, path)
    return table


def _check(table: Any, schema: str, path: Path) -> None:
    if isinstance(table, dict) and "schema" in table:
        check_version(table["schema"], schema, str(path))


def _first(error: ValidationError) -> str:
    """Return the first validation error as one line."""
    first = error.errors(include_url=False)[0]
    return ": ".join([".".join(map(str, first["loc"])), first["msg"]] if first["loc"] else [first["msg"]])


@cache
def _plan_adapter() -> TypeAdapter[RunPlan]:
    from pydantic import TypeAdapter

    return TypeAdapter(RunPlan)


@cache
def _lock_adapter() -> TypeAdapter[Lock]:
    from pydantic import TypeAdapter

    return TypeAdapter(Lock)


def resolved_suite(run: Path) -> Suite:
    """Read `suite.lock.toml` as a complete suite.

    Raises:
        RunError: the file is missing or invalid, or the run directory was renamed.
    """
    from pydantic import TypeAdapter, ValidationError

    from ..suite.suite import Suite

    path = run / LOCK
    try:
        suite = TypeAdapter(Suite).validate_python(read_lock_table(run))
    except FileNotFoundError:
        raise RunError(f"{run}: not a run directory: it has no suite.lock.toml") from None
    except ValidationError as error:
        raise RunError(f"{path}: {_first(error)}") from None
    if suite.name != run.resolve().name:
        raise RunError(f"{run}: contains the suite {suite.name!r}; rename the folder back to resume")
    return suite
