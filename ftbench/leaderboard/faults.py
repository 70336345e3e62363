"""Find what prevents a run from being published: missing, repeated, misplaced, changed and contradictory records."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import astuple
from functools import cache
from typing import TYPE_CHECKING, Any

from ..fingerprint import digest
from ..records.comparability import ABSENT, differences
from ..records.predictions import PREDICTIONS, contradiction, read_predictions
from ..records.record_set import place_of
from ..suite.trial import TRAINING_VERSION, Trial
from .rescoring import contradictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import TypeAdapter

    from ..api.catalog import Catalog
    from ..records.record import Record
    from ..records.run_files import Lock, RunPlan


def faults_of(
    paths: Sequence[Path],
    records: Sequence[Record],
    plan: RunPlan,
    lock: Lock,
    folder: Path,
    *,
    catalog: Catalog | None = None,
) -> list[str]:
    """Return a line for each fault of a run.

    Args:
        paths: the files of the records.
        records: the records, in the same order.
        plan: the plan of the run.
        lock: its resolved suite.
        folder: its run directory.
        catalog: knows the primary scores of tasks; None if they are not to be checked.
    """
    faults = [*_misplaced(paths, records, plan, folder), *_repeated(records), *_missing(records, plan, lock)]
    faults += [*_forged(records), *_mixed(records), *_undecided(records, catalog)]
    return [*faults, *_Predictions().contradicted(records, folder)]


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
    # Trials that did not start state no version: theirs is that of the others.
    stated = (record.provenance.get("harness", {}).get("training") for record in records)
    usual = next((version for version in stated if version is not None), TRAINING_VERSION)
    for record in records:
        trial, version = parsed_trial(record), record.provenance.get("harness", {}).get("training", usual)
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


def _undecided(records: Sequence[Record], catalog: Catalog | None) -> Iterator[str]:
    """Find records whose deciding score is neither the one that their suite names nor that of their task."""
    for record in records:
        first = record.trial["stages"][0]
        kind = catalog.offers["tasks"].get(first["task"]["use"]) if catalog is not None else None
        own = getattr(kind, "primary", None)
        expected = first.get("metric") or (own if isinstance(own, str) else record.primary)
        if record.primary != expected:
            yield f"{named(record)}: is decided by {record.primary}, but its task by {expected}"


class _Predictions:
    """What the predictions of a run say so far, to compare those of the next trial with."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str, str], tuple[str, Record]] = {}
        self._items: dict[tuple[str, int], tuple[str, Record]] = {}

    def contradicted(self, records: Sequence[Record], folder: Path) -> Iterator[str]:
        """Find trials without predictions, scores that do not follow from them, and items that differ."""
        for record in records:
            if record.status != "ok":
                continue
            path = folder / "trials" / record.id / record.environment / PREDICTIONS
            lines = read_predictions(path)
            if isinstance(lines, str) or not lines:
                why = lines if isinstance(lines, str) else "there is none"
                yield f"{named(record)}: its predictions are required to check its scores: {why}"
                continue
            found = contradiction(path, record)
            for fault in (*filter(None, [found]), *contradictions(record, lines, (record.primary,) if found else ())):
                yield f"{named(record)}: {fault}"
            yield from self._differing(record, lines)

    def _differing(self, record: Record, lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Find items that other strategies of the same seed were not tested on, or that had another label."""
        target, seed = place_of(record).target, record.trial["seed"]
        keys = digest(sorted([str(line.get("task", "")), line["id"]] for line in lines))
        known, other = self._items.setdefault((target, seed), (keys, record))
        if known != keys:
            yield f"{named(record)}: its test items are not those of {named(other)}"
        for line in lines:
            label = json.dumps(line.get("label"), sort_keys=True)
            place = (target, str(line.get("task", "")), line["id"])
            known, other = self._labels.setdefault(place, (label, record))
            if known != label:
                yield f"{named(record)}: the label of item {line['id'][:80]!r} is not that in {named(other)}"
                return
