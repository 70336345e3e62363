"""The two notes a run directory has beside its records: the plan of its last run, and the suite as it was resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..files import check_version, parse_json, parse_toml, read_text
from ..suite.suite import Gate, Statistics
from .record_schema import Name  # noqa: TC001 - pydantic resolves the field types at run time

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import TypeAdapter, ValidationError

    from ..suite.suite import Suite


PLAN, LOCK = "plan.json", "suite.lock.toml"
PLAN_SCHEMA, LOCK_SCHEMA = "ftbench.plan/1", "ftbench.lock/1"
"""Notes without a schema were written before there was one, and are read as these."""


@dataclass(frozen=True)
class PlannedTuning:
    """What a plan notes of the suite's tuning."""

    trials: tuple[Name, ...] = ()
    """Ids of the trials that serve it alone, and are never compared."""
    searches: tuple[dict[str, Any], ...] = ()
    """What is searched for each strategy on a backbone and target, and with which budget."""


@dataclass(frozen=True)
class RunPlan:
    """Which of the records in a run directory are the suite's as it stands."""

    environment: Name
    """Where its trials run."""
    trials: tuple[Name, ...]
    """Their ids."""
    places: tuple[tuple[str, str, str, int], ...] = ()
    """Target, backbone, strategy and seed of each, so that a trial without a record has a name."""
    tuning: PlannedTuning = field(default_factory=PlannedTuning)


@dataclass(frozen=True)
class Labelled:
    """An entry of a suite, of which only the label counts here."""

    label: str


@dataclass(frozen=True)
class Lock:
    """What a reader of records wants to know of their suite."""

    seeds: tuple[int, ...] = ()
    tasks: tuple[Labelled, ...] = ()
    sequences: tuple[Labelled, ...] = ()
    strategies: tuple[Labelled, ...] = ()
    statistics: Statistics = field(default_factory=Statistics)
    gate: Gate = field(default_factory=Gate)

    @property
    def labels(self) -> list[str]:
        """Labels of tasks, sequences and strategies, in the order of the suite."""
        return [entry.label for entry in (*self.tasks, *self.sequences, *self.strategies)]


def read_plan(run: Path) -> RunPlan | None:
    """Read the plan of a run directory; None where it has none.

    Raises:
        RunError: the file is no plan, or one of a newer version.
    """
    from pydantic import ValidationError

    path = run / PLAN
    try:
        table = parse_json(read_text(path), str(path))
    except FileNotFoundError:
        return None
    _check(table, PLAN_SCHEMA, path)
    try:
        found = _plan_adapter().validate_python(table)
    except ValidationError as error:
        raise RunError(f"{path}: not a plan: {_first(error)}; take it away to read every record") from None
    if len(set(found.trials)) < len(found.trials):
        raise RunError(f"{path}: not a plan: a trial stands in it twice; take it away to read every record")
    return found


def read_lock(run: Path) -> Lock:
    """Read the resolved suite of a run directory; all defaults where it has none.

    Raises:
        RunError: the file is no resolved suite, or one of a newer version.
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
        FileNotFoundError: it has none.
        RunError: the file is not TOML, or of a newer version.
    """
    path = run / LOCK
    try:
        table = parse_toml(read_text(path))
    except ValueError as error:
        raise RunError(f"{path}: not TOML: {error}") from None
    _check(table, LOCK_SCHEMA, path)
    return table


def _check(table: Any, schema: str, path: Path) -> None:
    if isinstance(table, dict) and "schema" in table:
        check_version(table["schema"], schema, str(path))


def _first(error: ValidationError) -> str:
    """Say the first thing that is wrong in a line."""
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
    """Read `suite.lock.toml`.

    Raises:
        RunError: it is not there, is none, or is of a run directory that had another name.
    """
    from pydantic import TypeAdapter, ValidationError

    from ..suite.suite import Suite

    path = run / LOCK
    try:
        suite = TypeAdapter(Suite).validate_python(read_lock_table(run))
    except FileNotFoundError:
        raise RunError(f"{run}: not a run directory: it has no suite.lock.toml") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RunError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if suite.name != run.resolve().name:
        raise RunError(f"{run}: holds the suite {suite.name!r}; call the folder so again to go on in it")
    return suite
