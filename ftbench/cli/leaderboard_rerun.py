"""Train trials of published runs again, for `ftbench leaderboard verify --rerun`."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import click

from ..errors import RunError, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..leaderboard.entry import Entry
    from ..leaderboard.reruns import Rerun
    from ..records.record import Record
    from .context import CommandContext

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Trained(NamedTuple):
    """What came of training trials again."""

    faults: tuple[str, ...]
    reruns: dict[str, Rerun]
    """SHA-256 of a bundle → its re-run, for each bundle without a fault."""


def rerun(context: CommandContext, entries: Sequence[Entry], number: int, seed: int, by: str) -> Trained:
    """Train randomly drawn trials again on this machine, and compare them with the published ones."""
    from ..leaderboard.reruns import draw

    drawn: dict[str, list[Record]] = defaultdict(list)
    known = {entry.sha256: entry for entry in entries}
    for entry, record in draw(entries, number, seed):
        drawn[entry.sha256].append(record)
    faults: list[str] = []
    reruns: dict[str, Rerun] = {}
    for sha256, records in drawn.items():
        entry = known[sha256]
        try:
            found, again = _compared(context, entry, records, (seed, by))
        except UserError as error:
            faults += [f"{entry.source}: cannot be trained again here: {line}" for line in error.mistakes]
            continue
        faults += [f"{entry.source}: {fault}" for fault in found]
        if not found:
            reruns[sha256] = again
    return Trained(tuple(faults), reruns)


def _compared(
    context: CommandContext, entry: Entry, records: Sequence[Record], draw: tuple[int, str]
) -> tuple[list[str], Rerun]:
    from ..leaderboard.reruns import Rerun, compare
    from ..records.bundle import unpack

    name = str(entry.records[0].trial["suite"])
    if not _NAME.fullmatch(name):
        raise RunError(f"{name[:80]!r} is not a name of a suite")
    with TemporaryDirectory(prefix="ftbench-") as place:
        published = Path(place) / "published" / name
        unpack(entry.bundle, published)
        again = _train(context, published, records, Path(place) / "again")
        found = [
            compare(
                (record, published / "trials" / record.id / record.environment),
                again[record.id],
            )
            for record in records
        ]
        faults = [fault for one in found for fault in one.faults]
        of = sum(record.status == "ok" for record in entry.records)
        seed, by = draw
        differs = next((one.differs for one in found if one.differs), "")
        return faults, Rerun(by, len(records), of, seed, _device(again[records[0].id][0]), differs)


def _train(
    context: CommandContext, published: Path, records: Sequence[Record], runs: Path
) -> dict[str, tuple[Record, Path]]:
    """Train trials of a run again; return id → record and folder.

    Raises:
        UserError: this machine does not plan the same trials.
    """
    from ..leaderboard.faults import named
    from ..records.run_files import resolved_suite
    from ..records.store import read_records
    from ..runner.local_plan import plan_here
    from ..runner.runner import run_suite
    from ..suite.selection import Chosen

    # Nothing is downloaded for somebody else's suite.
    suite = replace(resolved_suite(published), online=False)
    if suite.tuning is not None:
        raise UserError("its suite is tuned, and tuned trials are not trained again")
    planned = {trial.id for trial in plan_here(suite, context.plugins, context.catalog)}
    if other := [record for record in records if record.id not in planned]:
        raise UserError(*(f"{named(one)}: its code, data or weights are not those of this machine" for one in other))
    chosen = Chosen(only=tuple(record.id for record in records))
    click.echo(f"training {len(records)} trials of {suite.name} again", err=True)
    outcome = run_suite(suite, context.plugins, context.selection, runs, chosen=chosen, tolerated="error")
    found = {}
    for record in records:
        paths = sorted((outcome.folder / "trials" / record.id).glob("*/record.json"))
        if not paths:
            raise UserError(f"{named(record)}: was interrupted")
        found[record.id] = (read_records(paths)[0], paths[0].parent)
    return found


def _device(record: Record) -> str:
    hardware = record.provenance.get("hardware", {})
    gpu = hardware.get("gpu")
    return str((gpu.get("name") if isinstance(gpu, dict) else None) or hardware.get("cpu") or "unknown")
