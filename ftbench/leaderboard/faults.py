"""Find what prevents a run from being published: missing, repeated, misplaced, changed and contradictory records."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple
from functools import cache
from typing import TYPE_CHECKING, Any

from ..fingerprint import digest
from ..records.comparability import ABSENT, differences
from ..records.predictions import PREDICTIONS, contradiction
from ..records.record_set import place_of
from ..suite.trial import TRAINING_VERSION, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import TypeAdapter

    from ..records.record import Record
    from ..records.run_files import Lock, RunPlan


def faults_of(paths: Sequence[Path], records: Sequence[Record], plan: RunPlan, lock: Lock, folder: Path) -> list[str]:
    """Return a line for each fault of a run.

    Args:
        paths: the files of the records.
        records: the records, in the same order.
        plan: the plan of the run.
        lock: its resolved suite.
        folder: its run directory.
    """
    faults = [*_misplaced(paths, records, plan, folder), *_repeated(records), *_missing(records, plan, lock)]
    return [*faults, *_forged(records), *_mixed(records), *_contradicted(records, folder)]


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
