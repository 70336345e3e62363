"""Accepted changes: gate findings that were approved and now adjust the baseline."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import RunError
from ..files import check_version, parse_json, read_text, write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCHEMA: Literal["ftbench.accepted/1"] = "ftbench.accepted/1"
FILE = "accepted.json"
"""File name, in the folder of the baseline and in its bundle."""


@dataclass(frozen=True)
class AcceptedChange:
    """An accepted change."""

    reason: str
    """Why it was accepted, as given by the user."""
    target: str
    backbone: str
    strategy: str
    metric: str
    task: str = ""
    """The task of a sequence; empty for the whole trial."""
    seeds: tuple[int, ...] = ()
    """The seeds it was measured on."""
    before: tuple[float | str | None, ...] = ()
    """Values in the baseline, one per seed; the change applies only to a baseline with these values."""
    after: tuple[float | str | None, ...] = ()
    """Values in the other run, one per seed; None for a missing one."""

    @property
    def has_values(self) -> bool:
        """Whether there are values before and after for each seed; not if the change is about something missing."""
        return 0 < len(self.seeds) == len(self.before) == len(self.after)

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """Task column, backbone, strategy, metric and task it is about."""
        return self.target, self.backbone, self.strategy, self.metric, self.task


def read_steps(folder: Path) -> tuple[AcceptedChange, ...]:
    """Read the changes accepted for a baseline; return an empty tuple if it has none.

    Raises:
        RunError: the file is not a list of accepted changes.
    """
    from pydantic import TypeAdapter, ValidationError

    path = folder / FILE
    try:
        table = parse_json(read_text(path), str(path))
    except FileNotFoundError:
        return ()
    check_version(table.get("schema") if isinstance(table, dict) else None, SCHEMA, str(path))
    try:
        return tuple(TypeAdapter(list[AcceptedChange]).validate_python(table.get("steps")))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RunError(f"{path}: steps.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def write_steps(folder: Path, steps: Sequence[AcceptedChange]) -> None:
    """Write the accepted changes of a baseline; of several with the same key, only the last is written."""
    latest = {step.key: step for step in steps}
    table = {"schema": SCHEMA, "steps": [asdict(step) for step in latest.values()]}
    write_whole(folder / FILE, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
