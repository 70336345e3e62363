"""Read the records of one run for a comparison: by configuration key and seed, with the missing ones."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..errors import NotComparable, RunError
from ..suite.suite import Gate
from .accepted_changes import AcceptedChange, read_steps
from .bundle import unpack
from .data_check import DataCheck, read_data_check
from .run_files import PLAN, read_lock, read_plan
from .store import read_records, record_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .record import Record


@dataclass(frozen=True, order=True)
class Place:
    """A configuration key: together with the seed, it pairs the records of two runs."""

    target: str
    """Label of the task or sequence."""
    backbone: str
    strategy: str

    def __str__(self) -> str:
        return f"{self.strategy} on {self.target} ({self.backbone})"


@dataclass(frozen=True)
class RecordSet:
    """All records of one suite in one environment."""

    source: str
    """The run directory or bundle they were read from."""
    suite: str
    """Name of the suite."""
    records: Mapping[Place, Mapping[int, Record]]
    """Configuration key → seed → record, of any status."""
    unfinished: tuple[tuple[Place, int], ...] = ()
    """Planned trials without a record."""
    gate: Gate = field(default_factory=Gate)
    """The `[gate]` table of the suite."""
    seeds: tuple[int, ...] = ()
    """All seeds of the records, in suite order."""
    accepted: tuple[AcceptedChange, ...] = ()
    """Changes accepted for this run as a baseline."""
    data: DataCheck | None = None
    """What the data check found; None if the data were not checked."""


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Yield the folder of a run: the run directory itself, or a temporary folder with the unpacked bundle.

    Raises:
        RunError: there is no such run directory or bundle, or the bundle is invalid.
    """
    if path.is_dir():
        yield path
    elif path.is_file():
        with TemporaryDirectory(prefix="ftbench-") as folder:
            unpack(path, Path(folder))
            yield Path(folder)
    else:
        raise RunError(f"{path}: no such run directory or bundle")


def read_record_set(path: Path) -> RecordSet:
    """Read a run directory or a bundle.

    Raises:
        RunError: it is neither, has no record, has one of another version, or has records of several suites.
        NotComparable: its records are of several environments, or several are of the same trial.
    """
    with opened(path) as folder:
        try:
            return collect(read_records(record_files(folder)), str(path), folder)
        except RunError as error:
            # Name the bundle in the message instead of the temporary folder.
            raise RunError(*(line.replace(str(folder), str(path)) for line in error.mistakes)) from None


def collect(found: Sequence[Record], source: str, folder: Path) -> RecordSet:
    """Group the records read from `folder` into a set; see `read_record_set`."""
    if not found:
        raise RunError(f"{source}: no trial has finished yet")
    suites = sorted({record.trial["suite"] for record in found})
    if len(suites) > 1:
        raise RunError(f"{source}: has records of several suites: {', '.join(suites)}")
    environments = {record.environment for record in found}
    if len(environments) > 1:
        raise NotComparable(f"{source}: has records of {len(environments)} environments; a plan.json must name one")
    records: dict[Place, dict[int, Record]] = defaultdict(dict)
    for record in found:
        place, seed = place_of(record), record.trial["seed"]
        if seed in records[place]:
            raise NotComparable(
                f"{source}: two records are of {place}, seed {seed}; the plan.json that names the right one is missing"
            )
        records[place][seed] = record
    unfinished = tuple(_unfinished(folder, {record.id for record in found}))
    lock = read_lock(folder)
    order = {seed: number for number, seed in enumerate(lock.seeds)}
    seeds = tuple(
        sorted({record.trial["seed"] for record in found}, key=lambda seed: (order.get(seed, len(order)), seed))
    )
    return RecordSet(
        source, suites[0], dict(records), unfinished, lock.gate, seeds, read_steps(folder), read_data_check(folder)
    )


def place_of(record: Record) -> Place:
    """Return the configuration key of a record."""
    trial = record.trial
    return Place(trial["target"], trial["backbone"]["label"], trial["strategy"]["label"])


def _unfinished(folder: Path, done: set[str]) -> Iterator[tuple[Place, int]]:
    plan = read_plan(folder)
    if plan is None:
        return
    if len(plan.places) != len(plan.trials):
        raise RunError(
            f"{folder / PLAN}: not a plan: {len(plan.places)} configuration keys for {len(plan.trials)} trials; "
            "run the suite again"
        )
    for trial, (target, backbone, strategy, seed) in zip(plan.trials, plan.places, strict=True):
        if trial not in done:
            yield Place(target, backbone, strategy), seed
