"""Deliberate steps: changes a gate found and someone accepted, which move the baseline from then on."""

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
"""In the folder of the baseline, and in its bundle."""


@dataclass(frozen=True)
class Step:
    """One change that was accepted."""

    reason: str
    """Why, in the words of whoever accepted it."""
    target: str
    backbone: str
    strategy: str
    metric: str
    task: str = ""
    """The task of a sequence; empty for the whole trial."""
    seeds: tuple[int, ...] = ()
    """The seeds it was seen on."""
    before: tuple[float | str | None, ...] = ()
    """What the baseline has, a value a seed: a step holds only for a baseline that has it."""
    after: tuple[float | str | None, ...] = ()
    """What the other run had; None where it had nothing."""

    @property
    def has_values(self) -> bool:
        """Whether it says what each seed had and has; one of something that was missing does not."""
        return 0 < len(self.seeds) == len(self.before) == len(self.after)

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What it is about."""
        return self.target, self.backbone, self.strategy, self.metric, self.task


def read_steps(folder: Path) -> tuple[Step, ...]:
    """Read the steps accepted for a baseline; none where it has no such file.

    Raises:
        RunError: the file is not one of accepted steps.
    """
    from pydantic import TypeAdapter, ValidationError

    path = folder / FILE
    try:
        table = parse_json(read_text(path), str(path))
    except FileNotFoundError:
        return ()
    check_version(table.get("schema") if isinstance(table, dict) else None, SCHEMA, str(path))
    try:
        return tuple(TypeAdapter(list[Step]).validate_python(table.get("steps")))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RunError(f"{path}: steps.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def write_steps(folder: Path, steps: Sequence[Step]) -> None:
    """Write the steps of a baseline; a later step about the same replaces an earlier one."""
    latest = {step.key: step for step in steps}
    table = {"schema": SCHEMA, "steps": [asdict(step) for step in latest.values()]}
    write_whole(folder / FILE, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
