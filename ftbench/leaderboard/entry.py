"""An entry of a leaderboard: read one run from an untrusted bundle, and find faults that prevent its publication."""

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
_SUITE_LETTERS = 40
_HASH_LETTERS = 12
_MAX_VALUE = 1e100
"""Maximum absolute value of a measurement; squares and sums of larger ones would overflow."""


@dataclass(frozen=True)
class Entry:
    """A run to publish."""

    name: str
    """Name of its files: the suite, the day it ended, and the start of the bundle's hash."""
    source: Path
    """What the user named: a run directory, or the bundle."""
    bundle: Path
    """The bundle it was read from."""
    sha256: str
    """SHA-256 of the bundle."""
    folder: Path
    """Folder with the unpacked bundle."""
    records: tuple[Record, ...]
    """One record per planned trial."""
    order: tuple[str, ...]
    """Labels of tasks, sequences and strategies, in suite order."""
    statistics: Statistics
    """The suite's equivalence margins."""
    summary: Summary
    """Summary of this run alone."""
    suite: str
    """Hash of what all strategies share: data, weights, protocol, splits, profile, scores and margins."""
    harness: Mapping[str, Any]
    """Versions of ftbench, its training and its measuring; empty if no trial states them."""
    hardware: Mapping[str, Any]
    """Hardware of the machine."""
    software: Mapping[str, str]
    """Versions that can change a number."""
    finished: float
    """When its last trial ended, in seconds since 1970; 0 if unknown."""

    @property
    def device(self) -> str:
        """Model of the training device: the GPU or, without one, the CPU."""
        gpu = self.hardware.get("gpu")
        name = gpu.get("name") if isinstance(gpu, dict) else None
        return str(name or self.hardware.get("cpu") or "unknown")


def shared_content(record: Record) -> dict[str, Any]:
    """Return what all strategies of a task column and backbone must share: the tasks, the weights, the protocol."""
    content = {name: value for name, value in parsed_trial(record).content.items() if name not in ("strategy", "twin")}
    stages = [
        {**stage, "training": {k: v for k, v in stage["training"].items() if k != "lr"}} for stage in content["stages"]
    ]
    return {**content, "stages": stages, "primary": record.primary, "profile": record.trial["profile"]}


def parsed_trial(record: Record) -> Trial:
    """Return the trial of a record; raise ValidationError if it is invalid."""
    return _trial_adapter().validate_python(record.trial)


@cache
def _trial_adapter() -> TypeAdapter[Trial]:
    from pydantic import TypeAdapter

    return TypeAdapter(Trial)


def trial_part(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies a plugin's part of a trial: all but its label."""
    return {name: part[name] for name in ("use", "options", "fingerprint")}


def read_entry(bundle: Path, folder: Path, source: Path | None = None) -> Entry:
    """Unpack a bundle into `folder`, which must not exist, and read it.

    Args:
        bundle: the file.
        folder: where to unpack it.
        source: the path to show in messages; by default the bundle.

    Raises:
        RunError: the file is not a bundle, or cannot be published; a line for each fault.
    """
    source = source or bundle
    unpack(bundle, folder)
    try:
        return _read(bundle, folder, source)
    except (RunError, NotComparable) as error:
        # Show the bundle in messages instead of the temporary folder.
        raise RunError(*(one_line(line.replace(str(folder), str(source))) for line in error.mistakes)) from None
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, OSError) as error:
        raise RunError(
            one_line(f"{source}: a record or the suite in it is not what ftbench writes: {error!r}")
        ) from None


def _read(bundle: Path, folder: Path, source: Path) -> Entry:
    plan, lock = read_plan(folder), read_lock(folder)
    if plan is None or not plan.places or not lock.strategies:
        raise RunError(f"{source}: has no plan.json or no suite.lock.toml, so missing trials cannot be detected")
    # Tuning trials are never compared.
    paths = [path for path in sorted(folder.glob(RECORDS)) if path.parts[-3] not in plan.tuning.trials]
    if not paths:
        raise RunError(f"{source}: has no record")
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
    """Raise ValueError if a measurement is too large to compute with."""
    for record in records:
        if any(abs(measurement.value or 0) > _MAX_VALUE for measurement in record.measurements):
            message = f"trial {record.id}: a measurement is implausibly large"
            raise ValueError(message)


def _first(records: Sequence[Record], part: str) -> dict[str, Any]:
    """Return a part of the provenance from the first record that has it; empty if none does."""
    return next((dict(found) for record in records if (found := record.provenance.get(part))), {})


def _suite(records: Sequence[Record], statistics: Statistics, tuning: Any) -> str:
    splits = {task: found for record in records for task, found in record.provenance.get("splits", {}).items()}
    cells = {f"{place.target}\0{place.backbone}": digest(shared_content(r)) for r in records for place in [place_of(r)]}
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
    return f"{suite[:_SUITE_LETTERS].strip('-') or 'suite'}-{ended:%Y-%m-%d}-{sha256[:_HASH_LETTERS]}"


def _finished(records: Sequence[Record]) -> float:
    ended = max((float(record.provenance.get("finished", 0)) for record in records), default=0.0)
    datetime.fromtimestamp(ended, UTC)  # raises if it is not a valid time
    return ended


# ---- faults ----------------------------------------------------------------------------------------------------------


def named(record: Record) -> str:
    """Return a readable name of a record."""
    return f"seed {record.trial['seed']} of {place_of(record)}"


def _misplaced(paths: Sequence[Path], records: Sequence[Record], plan: RunPlan, folder: Path) -> Iterator[str]:
    """Find records in the wrong folder for their trial and environment, or that are not in the plan."""
    planned = dict(zip(plan.trials, plan.places, strict=True))
    for path, record in zip(paths, records, strict=True):
        place = path.relative_to(folder).as_posix()
        if path.parts[-3:-1] != (record.id, record.environment):
            yield f"{place}: contains {named(record)} of trial {record.id}/{record.environment}"
        elif record.environment != plan.environment:
            environments = f"environment {record.environment}, but the plan of {plan.environment}"
            yield f"{place}: mixed fingerprints: {named(record)} is of {environments}"
        elif record.id not in planned:
            yield f"{place}: {named(record)} is not in the plan"
        elif planned[record.id] != (*astuple(place_of(record)), record.trial["seed"]):
            yield f"{place}: {named(record)} was planned as {planned[record.id]}"


def _repeated(records: Sequence[Record]) -> Iterator[str]:
    found: dict[tuple[Any, Any], Record] = {}
    for record in records:
        first = found.setdefault((place_of(record), record.trial["seed"]), record)
        if first is not record:
            trials = f"{first.id}/{first.environment} and {record.id}/{record.environment}"
            yield f"{named(record)} has two records: trials {trials}"


def _missing(records: Sequence[Record], plan: RunPlan, lock: Lock) -> Iterator[str]:
    """Find trials that are in the plan, or in the suite it was made from, but not in the run."""
    done = {record.id for record in records}
    planned: dict[tuple[str, ...], set[Any]] = defaultdict(set)
    for trial, (target, backbone, strategy, seed) in zip(plan.trials, plan.places, strict=True):
        planned[strategy, target, backbone].add(seed)
        if trial not in done:
            where = f"{strategy} on {target} ({backbone})"
            yield f"seed {seed} of {where} is missing: planned as trial {trial}, but without a record"
    for (strategy, target, backbone), seeds in planned.items():
        for seed in lock.seeds:
            if seed not in seeds:
                where = f"{strategy} on {target} ({backbone})"
                yield f"seed {seed} of {where} is missing: the suite has that seed, but the plan does not"
    for one in lock.strategies:
        if one.label not in {strategy for strategy, _, _ in planned}:
            yield f"strategy {one.label} is missing: the suite has it, but the plan does not"


def _forged(records: Sequence[Record]) -> Iterator[str]:
    """Find records whose trial does not match their configuration hash and id."""
    for record in records:
        trial, version = parsed_trial(record), record.provenance.get("harness", {}).get("training", TRAINING_VERSION)
        if record.cell != trial.cell or record.id != digest([record.cell, trial.code, version]):
            yield f"{named(record)}: its trial was changed: it does not match the id {record.id}"


def _mixed(records: Sequence[Record]) -> Iterator[str]:
    """Find records with other data or protocol than the rest, or whose machine does not match their environment."""
    first: dict[tuple[str, str], Record] = {}
    splits: dict[str, tuple[str, Record]] = {}
    for record in records:
        place, known = place_of(record), record.provenance
        other = first.setdefault((place.target, place.backbone), record)
        if digest(shared_content(other)) != digest(shared_content(record)):
            found = [
                one
                for one in differences([(other, record)], ("data", "protocol"))
                if ABSENT not in (one.first, one.second)
            ]
            fields = ", ".join(map(str, found)) or "data or protocol"
            yield f"{named(record)}: mixed fingerprints: differs from {named(other)} in {fields}"
        if (
            "hardware" in known
            and digest({name: known[name] for name in ("software", "hardware")}) != record.environment
        ):
            environment = f"environment {record.environment}"
            yield f"{named(record)}: mixed fingerprints: its software and hardware do not match {environment}"
        for task, split in known.get("splits", {}).items():
            before, owner = splits.setdefault(task, (split, record))
            if split != before:
                splits_differ = f"splits of {task} are {split}, but those of {named(owner)} are {before}"
                yield f"{named(record)}: mixed fingerprints: {splits_differ}"


def _contradicted(records: Sequence[Record], folder: Path) -> Iterator[str]:
    """Find scores that contradict the predictions stored with them."""
    for record in records:
        if record.status == "ok":
            found = contradiction(folder / "trials" / record.id / record.environment / PREDICTIONS, record)
            if found:
                yield f"{named(record)}: {found}"
