"""An entry of a leaderboard: one run, read from its bundle without trusting it, and what keeps it from being published."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from ..analysis.run_summary import summarise_runs
from ..errors import NotComparable, RunError
from ..fingerprint import digest, read_sha256
from ..formatting import one_line
from ..records.bundle import unpack
from ..records.comparability import ABSENT, differences
from ..records.predictions import PREDICTIONS, contradiction
from ..records.record_set import collect, place_of
from ..records.run_files import read_lock, read_lock_table, read_plan
from ..records.store import read_records
from ..suite.trial import TRAINING_VERSION, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import TypeAdapter

    from ..analysis.summary import Summary
    from ..records.record import Record
    from ..records.run_files import Lock, RunPlan
    from ..suite.suite import Statistics

RECORDS = "trials/*/*/record.json"
_LETTERS = 40
_HASH = 12
_LARGEST = 1e100
"""Beyond it squares and sums are no numbers any more."""


@dataclass(frozen=True)
class Entry:
    """A run as it is published."""

    name: str
    """What its files are called: the suite, the day it ended, and the beginning of the bundle's hash."""
    source: Path
    """What people know it by: a run directory, or the bundle."""
    bundle: Path
    """The file it was read from."""
    sha256: str
    """Of that file."""
    folder: Path
    """Where it was unpacked."""
    records: tuple[Record, ...]
    """One a planned trial."""
    order: tuple[str, ...]
    """Labels of tasks, sequences and strategies, in the order of the suite."""
    statistics: Statistics
    """The suite's margins of equivalence."""

    summary: Summary
    """The run by itself."""
    suite: str
    """Hash of what everyone in it was held to: data, weights, protocol, splits, profile, scores and margins; not who took part."""
    harness: Mapping[str, Any]
    """Versions of ftbench, of its training and of its measuring; empty where no trial tells."""
    hardware: Mapping[str, Any]
    """The machine."""
    software: Mapping[str, str]
    """Versions that can change a number."""
    finished: float
    """When its last trial ended, in seconds since 1970; 0 where no trial tells."""

    @property
    def device(self) -> str:
        """The model of what was trained on: the graphics card, or else the processor."""
        card = self.hardware.get("gpu")
        name = card.get("name") if isinstance(card, dict) else None
        return str(name or self.hardware.get("cpu") or "unknown")


def held_to(record: Record) -> dict[str, Any]:
    """Give what all strategies of one target and backbone must have in common: what is learnt, from what, and how."""
    content = {name: value for name, value in trial_of(record).content.items() if name not in ("strategy", "twin")}
    stages = [
        {**stage, "training": {k: v for k, v in stage["training"].items() if k != "lr"}} for stage in content["stages"]
    ]
    return {**content, "stages": stages, "primary": record.primary, "profile": record.trial["profile"]}


def trial_of(record: Record) -> Trial:
    """Read the trial of a record; raises where it is none."""
    return _trial_adapter().validate_python(record.trial)


@cache
def _trial_adapter() -> TypeAdapter[Trial]:
    from pydantic import TypeAdapter

    return TypeAdapter(Trial)


def trial_part(part: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a plugin's part of a trial is known by, whatever it is called."""
    return {name: part[name] for name in ("use", "options", "fingerprint")}


def read_entry(bundle: Path, folder: Path, source: Path | None = None) -> Entry:
    """Unpack a bundle into `folder`, which must not be there, and read it.

    Args:
        bundle: the file.
        folder: where to unpack it.
        source: what people know it by; the file by default.

    Raises:
        RunError: it is no bundle, or not one that can be published; a line for each fault.
    """
    source = source or bundle
    unpack(bundle, folder)
    try:
        return _read(bundle, folder, source)
    except (RunError, NotComparable) as error:
        # It is read from a folder that nobody has heard of.
        raise RunError(*(one_line(line.replace(str(folder), str(source))) for line in error.mistakes)) from None
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, OSError) as error:
        raise RunError(
            one_line(f"{source}: a record or the suite in it is not what ftbench writes: {error!r}")
        ) from None


def _read(bundle: Path, folder: Path, source: Path) -> Entry:
    plan, lock = read_plan(folder), read_lock(folder)
    if plan is None or not plan.places or not lock.strategies:
        raise RunError(f"{source}: has no plan.json or no suite.lock.toml: what is missing in it cannot be told")
    # Tries of a tuning are never compared.
    paths = [path for path in sorted(folder.glob(RECORDS)) if path.parts[-3] not in plan.tuning.trials]
    if not paths:
        raise RunError(f"{source}: holds no record")
    records = read_records(paths)
    _check_sizes(records)
    faults = [*_misplaced(paths, records, plan, folder), *_repeated(records), *_missing(records, plan, lock)]
    faults += [*_forged(records), *_mixed(records), *_contradicted(records, folder)]
    if faults:
        raise RunError(*(f"{source}: {fault}" for fault in faults))
    collect(records, str(source), folder)
    sha256 = read_sha256(bundle)
    return Entry(
        name=_name(records, sha256),
        source=source,
        bundle=bundle,
        sha256=sha256,
        folder=folder,
        records=tuple(records),
        order=tuple(lock.labels),
        statistics=lock.statistics,
        summary=summarise_runs([folder]),
        suite=_suite(records, lock.statistics, read_lock_table(folder).get("tuning")),
        harness=_first(records, "harness"),
        hardware=_first(records, "hardware"),
        software=_first(records, "software"),
        finished=_finished(records),
    )


def _check_sizes(records: Sequence[Record]) -> None:
    """Raise where a measurement is nothing to reckon with."""
    for record in records:
        if any(abs(measurement.value or 0) > _LARGEST for measurement in record.measurements):
            message = f"trial {record.id}: a measurement is larger than anything that can be measured"
            raise ValueError(message)


def _first(records: Sequence[Record], part: str) -> dict[str, Any]:
    """Give a part of where records come from, by the first that tells; empty where none does."""
    return next((dict(found) for record in records if (found := record.provenance.get(part))), {})


def _suite(records: Sequence[Record], statistics: Statistics, tuning: Any) -> str:
    splits = {task: found for record in records for task, found in record.provenance.get("splits", {}).items()}
    cells = {f"{place.target}\0{place.backbone}": digest(held_to(r)) for r in records for place in [place_of(r)]}
    scores = {
        record.trial["target"]: [record.primary, score.unit, score.direction]
        for record in records
        if (score := record.measurement(record.primary)) is not None
    }
    margins = [statistics.margin, dict(statistics.margins)]
    return digest({"cells": cells, "splits": splits, "scores": scores, "margins": margins, "tuning": tuning})


def _name(records: Sequence[Record], sha256: str) -> str:
    suite = "".join(
        letter if letter.isascii() and letter.isalnum() else "-" for letter in str(records[0].trial["suite"])
    )
    ended = datetime.fromtimestamp(_finished(records), UTC)
    return f"{suite[:_LETTERS].strip('-') or 'suite'}-{ended:%Y-%m-%d}-{sha256[:_HASH]}"


def _finished(records: Sequence[Record]) -> float:
    ended = max((float(record.provenance.get("finished", 0)) for record in records), default=0.0)
    datetime.fromtimestamp(ended, UTC)  # raises where it is no time
    return ended


# ---- what keeps it from being published ----------------------------------------------------------------------------------------


def named(record: Record) -> str:
    """Name a record as people know it."""
    return f"seed {record.trial['seed']} of {place_of(record)}"


def _misplaced(paths: Sequence[Path], records: Sequence[Record], plan: RunPlan, folder: Path) -> Iterator[str]:
    """Find records that are not where their trial and environment say, or that the plan does not know."""
    planned = dict(zip(plan.trials, plan.places, strict=True))
    for path, record in zip(paths, records, strict=True):
        place = path.relative_to(folder).as_posix()
        if path.parts[-3:-1] != (record.id, record.environment):
            yield f"{place}: holds {named(record)}, whose trial is {record.id}/{record.environment}"
        elif record.environment != plan.environment:
            yield f"{place}: {named(record)} is of environment {record.environment}, and the plan of {plan.environment}: mixed fingerprints"
        elif record.id not in planned:
            yield f"{place}: {named(record)} is not in the plan"
        elif planned[record.id] != (*astuple(place_of(record)), record.trial["seed"]):
            yield f"{place}: {named(record)} was planned as {planned[record.id]}"


def _repeated(records: Sequence[Record]) -> Iterator[str]:
    found: dict[tuple[Any, Any], Record] = {}
    for record in records:
        first = found.setdefault((place_of(record), record.trial["seed"]), record)
        if first is not record:
            yield f"{named(record)} is there twice: trials {first.id}/{first.environment} and {record.id}/{record.environment}"


def _missing(records: Sequence[Record], plan: RunPlan, lock: Lock) -> Iterator[str]:
    """Find trials that the plan, or the suite it was made from, has and the run has not."""
    done = {record.id for record in records}
    planned: dict[tuple[str, ...], set[Any]] = defaultdict(set)
    for trial, (target, backbone, strategy, seed) in zip(plan.trials, plan.places, strict=True):
        planned[strategy, target, backbone].add(seed)
        if trial not in done:
            yield f"seed {seed} of {strategy} on {target} ({backbone}) is missing: planned as trial {trial}, and without a record"
    for (strategy, target, backbone), seeds in planned.items():
        for seed in lock.seeds:
            if seed not in seeds:
                yield f"seed {seed} of {strategy} on {target} ({backbone}) is missing: the suite has that seed, and the plan leaves it out"
    for one in lock.strategies:
        if one.label not in {strategy for strategy, _, _ in planned}:
            yield f"strategy {one.label} is missing: the suite has it, and the plan leaves it out"


def _forged(records: Sequence[Record]) -> Iterator[str]:
    """Find records whose trial is not the one that their cell and id stand for."""
    for record in records:
        trial, version = trial_of(record), record.provenance.get("harness", {}).get("training", TRAINING_VERSION)
        if record.cell != trial.cell or record.id != digest([record.cell, trial.code, version]):
            yield f"{named(record)}: its trial was changed: it is not the one that the id {record.id} stands for"


def _mixed(records: Sequence[Record]) -> Iterator[str]:
    """Find records that were held to something else than their like, or that tell of another machine than they say."""
    first: dict[tuple[str, str], Record] = {}
    splits: dict[str, tuple[str, Record]] = {}
    for record in records:
        place, known = place_of(record), record.provenance
        other = first.setdefault((place.target, place.backbone), record)
        if digest(held_to(other)) != digest(held_to(record)):
            found = [
                one
                for one in differences([(other, record)], ("data", "protocol"))
                if ABSENT not in (one.first, one.second)
            ]
            yield f"{named(record)}: mixed fingerprints: differs from {named(other)} in {', '.join(map(str, found)) or 'what it is held to'}"
        if (
            "hardware" in known
            and digest({name: known[name] for name in ("software", "hardware")}) != record.environment
        ):
            yield f"{named(record)}: mixed fingerprints: its software and hardware are not those of environment {record.environment}"
        for task, split in known.get("splits", {}).items():
            before, owner = splits.setdefault(task, (split, record))
            if split != before:
                yield f"{named(record)}: mixed fingerprints: splits of {task} are {split}, and of {named(owner)} {before}"


def _contradicted(records: Sequence[Record], folder: Path) -> Iterator[str]:
    """Find scores that are not what the predictions beside them come to."""
    for record in records:
        if record.status == "ok":
            found = contradiction(folder / "trials" / record.id / record.environment / PREDICTIONS, record)
            if found:
                yield f"{named(record)}: {found}"
