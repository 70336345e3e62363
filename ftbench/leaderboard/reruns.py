"""Trials that a verifier trains again: draw them, compare them with the published ones, and record who did it."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ..analysis.metric_tiers import exact_values
from ..errors import RunError
from ..files import check_version, parse_json, read_text
from ..records.predictions import PREDICTIONS, read_predictions
from .faults import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import TypeAdapter

    from ..records.record import Record
    from .entry import Entry

RERUNS = "reruns.json"
"""Name of the file of a site, or of a folder of results."""
SCHEMA = "ftbench.reruns/1"
_LARGEST = 512 * 2**20
_AGREE, _SCORE = 0.8, 0.1
"""On other software or hardware, share of items with the same prediction, and relative difference of scores, that count
as the same training: one of the two must hold."""
_LETTERS = 80


@dataclass(frozen=True)
class Rerun:
    """A run, some of whose trials somebody trained again."""

    by: str
    """Who trained them."""
    trials: int
    """Number of trials that were trained again."""
    of: int
    """Number of trials with a score that they were drawn from."""
    seed: int
    """Seed of the draw."""
    device: str
    """Model of the device that they were trained on."""
    differs: str = ""
    """What differs from the published environment, and what was compared; empty if all bits are equal."""

    @property
    def said(self) -> str:
        """The result in words."""
        result = self.differs or "all predictions are equal bit for bit"
        return f"{self.trials} of {self.of} trials on {self.device}, drawn with seed {self.seed}: {result}."


class Compared(NamedTuple):
    """A trial that was trained again, next to the published one."""

    faults: tuple[str, ...]
    differs: str
    """What was compared instead of all bits, because software or hardware differ; empty if they are equal."""


def draw(entries: Sequence[Entry], number: int, seed: int) -> list[tuple[Entry, Record]]:
    """Draw trials with a score from all runs; the same seed draws the same trials."""
    ordered = sorted(entries, key=lambda entry: entry.sha256)
    there = [
        (entry, record)
        for entry in ordered
        for record in sorted(entry.records, key=lambda record: record.id)
        if record.status == "ok"
    ]
    return random.Random(seed).sample(there, min(number, len(there)))  # noqa: S311 - the seed is published


def compare(published: tuple[Record, Path], again: tuple[Record, Path]) -> Compared:
    """Compare a trial with the published one.

    Args:
        published: the record, and the folder of its predictions.
        again: the same of the trial that was trained again.
    """
    (before, there), (after, here) = published, again
    if after.status != "ok":
        kind = f": {after.failure.kind}: {after.failure.message}" if after.failure else ""
        return Compared((f"{named(before)}: trained again, it ended as {after.status}{kind}",), "")
    changed = _changed(before, after)
    faults = list(_exact_faults(before, after))
    if not changed:
        if _unpacked(there / PREDICTIONS) != _unpacked(here / PREDICTIONS):
            share = _agreement(there, here)
            faults.append(
                f"{named(before)}: trained again on equal software, its predictions differ: {share:.1%} of items agree"
            )
        return Compared(tuple(faults), "")
    share, distance = _agreement(there, here), _distance(before, after)
    if share < _AGREE and distance > _SCORE:
        faults.append(
            f"{named(before)}: trained again ({changed}), {share:.1%} of items agree, and its "
            f"{before.primary.replace('_', ' ')} differs by {distance:.1%}"
        )
    return Compared(tuple(faults), f"{changed}; {share:.1%} of items are predicted the same, exact figures are equal")


def _changed(before: Record, after: Record) -> str:
    """Return which software and hardware differ, in words."""
    one, other = before.provenance.get("software", {}), after.provenance.get("software", {})
    names = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    parts = [f"{name} {one.get(name, 'unknown')} → {other.get(name, 'unknown')}" for name in names]
    # Processors round differently, so equal software on another model need not give equal bits.
    if before.provenance.get("hardware") != after.provenance.get("hardware"):
        parts.append("other hardware")
    return f"environments differ: {', '.join(parts)}" if parts else ""


def _exact_faults(before: Record, after: Record) -> Iterator[str]:
    """Find counts and orders that do not depend on software or hardware, but differ."""
    found = {(one.name, one.task): one.value for one in exact_values(after)}
    for one in exact_values(before):
        value = found.get((one.name, one.task))
        if value is not None and value != one.value:
            shown = one.name.replace("_", " ")
            yield f"{named(before)}: {shown} is {one.value}, but trained again it is {value}"


def _agreement(one: Path, other: Path) -> float:
    """Return the share of items that both predict the same; 0 if the items differ."""
    first, second = (_predicted(folder) for folder in (one, other))
    if not first or {*first} != {*second}:
        return 0.0
    return sum(first[item] == second[item] for item in first) / len(first)


def _predicted(folder: Path) -> dict[tuple[str, str], str]:
    lines = read_predictions(folder / PREDICTIONS)
    if isinstance(lines, str):
        return {}
    return {(str(line.get("task", "")), line["id"]): json.dumps(line.get("prediction")) for line in lines}


def _distance(before: Record, after: Record) -> float:
    one, other = before.measurement(before.primary), after.measurement(before.primary)
    if one is None or other is None or one.value is None or other.value is None:
        return 1.0
    return abs(one.value - other.value) / max(abs(one.value), 1e-9)


def _unpacked(path: Path) -> bytes:
    with gzip.open(path, "rb") as stream:
        return stream.read(_LARGEST)


# ---- the file --------------------------------------------------------------------------------------------------------


def read_reruns(folder: Path) -> dict[str, Rerun]:
    """Read who trained trials again, by SHA-256 of the bundle; empty if the folder has no such file.

    Raises:
        RunError: the file is not one of re-runs, or of a newer version.
    """
    from pydantic import ValidationError

    path = folder / RERUNS
    if not folder.is_dir():
        return {}
    try:
        table = parse_json(read_text(path), str(path))
    except FileNotFoundError:
        return {}
    check_version(table.get("schema") if isinstance(table, dict) else None, SCHEMA, str(path))
    try:
        found = _adapter().validate_python(table.get("runs"))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RunError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if odd := next((one for one in found.values() if len(one.by) > _LETTERS or not one.by.isprintable()), None):
        raise RunError(f"{path}: by: {odd.by[:_LETTERS]!r} is not a name of at most {_LETTERS} printable letters")
    return found


def reruns_json(reruns: Mapping[str, Rerun]) -> str:
    """Return the content of the file."""
    runs = {sha256: asdict(rerun) for sha256, rerun in sorted(reruns.items())}
    return json.dumps({"schema": SCHEMA, "runs": runs}, indent=1, ensure_ascii=False) + "\n"


@cache
def _adapter() -> TypeAdapter[dict[str, Rerun]]:
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, Rerun])
