"""An entry of a leaderboard: read one run from an untrusted bundle, and find faults that prevent its publication."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..analysis.run_summary import summarise_runs
from ..errors import NotComparable, RunError
from ..fingerprint import digest, read_sha256
from ..formatting import one_line
from ..records.bundle import unpack
from ..records.predictions import PREDICTIONS, items_of, read_predictions
from ..records.record_set import collect, place_of
from ..records.run_files import read_lock, read_lock_table, read_plan
from ..records.store import read_records
from .faults import faults_of, shared_content

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..analysis.contender import Contender
    from ..analysis.summary import Summary
    from ..api.catalog import Catalog
    from ..api.strategy import Family
    from ..records.record import Record
    from ..stats.item_scores import Items
    from ..suite.suite import Preference, Statistics

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
    records: tuple[Record, ...]
    """One record per planned trial."""
    order: tuple[str, ...]
    """Labels of tasks, sequences and strategies, in suite order."""
    items: Mapping[tuple[str, str], Items | str]
    """Id and environment of a trial → what each test item contributes to its score, or why that is not known."""
    predicted: Mapping[tuple[str, str], str]
    """Id and environment of a trial → hash of its predictions."""
    statistics: Statistics
    """The suite's equivalence margins."""
    prefer: Preference
    """Kind of cost that chooses among strategies that could be the best."""
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


def read_entry(
    bundle: Path,
    source: Path | None = None,
    catalog: Catalog | None = None,
    families: Mapping[str, Family] | None = None,
) -> Entry:
    """Read a bundle, unpacked into a temporary folder that is removed at once.

    Args:
        bundle: the file.
        source: the path to show in messages; by default the bundle.
        catalog: knows the families of strategies.
        families: label → family of strategies that the catalog does not know, as published.

    Raises:
        RunError: the file is not a bundle, or cannot be published; a line for each fault.
    """
    source = source or bundle
    with TemporaryDirectory(prefix="ftbench-") as place:
        folder = Path(place) / "run"
        unpack(bundle, folder)
        try:
            entry = _read(bundle, folder, source, catalog)
            return replace(entry, summary=with_families(entry.summary, families or {}))
        except (RunError, NotComparable) as error:
            # Show the bundle in messages instead of the temporary folder.
            raise RunError(*(one_line(line.replace(str(folder), str(source))) for line in error.mistakes)) from None
        except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, OSError) as error:
            raise RunError(
                one_line(f"{source}: a record or the suite in it is not what ftbench writes: {error!r}")
            ) from None


def _read(bundle: Path, folder: Path, source: Path, catalog: Catalog | None) -> Entry:
    plan, lock = read_plan(folder), read_lock(folder)
    if plan is None or not plan.places or not lock.strategies:
        raise RunError(f"{source}: has no plan.json or no suite.lock.toml, so missing trials cannot be detected")
    # Tuning trials are never compared.
    paths = [path for path in sorted(folder.glob(RECORDS)) if path.parts[-3] not in plan.tuning.trials]
    if not paths:
        raise RunError(f"{source}: has no record")
    records = read_records(paths)
    _check_sizes(records)
    if faults := faults_of(paths, records, plan, lock, folder, catalog=catalog):
        raise RunError(*(f"{source}: {fault}" for fault in faults))
    collect(records, str(source), folder)
    sha256, read = read_sha256(bundle), items_of(folder)
    return Entry(
        name=_name(records, sha256),
        source=source,
        bundle=bundle,
        sha256=sha256,
        records=tuple(records),
        order=tuple(lock.labels),
        items={(record.id, record.environment): read(record) for record in records if record.status == "ok"},
        predicted={
            (record.id, record.environment): prediction_hash(folder, record)
            for record in records
            if record.status == "ok"
        },
        statistics=lock.statistics,
        prefer=lock.report.prefer,
        summary=summarise_runs([folder], catalog=catalog, examples=False),
        suite=_suite(records, lock.statistics, read_lock_table(folder).get("tuning")),
        harness=_first(records, "harness"),
        hardware=_first(records, "hardware"),
        software=_first(records, "software"),
        finished=_finished(records),
    )


def with_families(summary: Summary, families: Mapping[str, Family]) -> Summary:
    """Return a summary with the families of strategies that have none, by their labels."""

    def named(contenders: Sequence[Contender]) -> tuple[Contender, ...]:
        return tuple(
            replace(c, family=families[c.strategy]) if c.family == "other" and c.strategy in families else c
            for c in contenders
        )

    targets = (replace(t, contenders=named(t.contenders), references=named(t.references)) for t in summary.targets)
    return replace(summary, targets=tuple(targets))


def families_in(summary: Summary) -> dict[str, Family]:
    """Return label → family of the strategies of a summary."""
    return {c.strategy: c.family for target in summary.targets for c in (*target.contenders, *target.references)}


def prediction_hash(run: Path, record: Record) -> str:
    """Return the hash of what a trial predicts of each item, whatever else is kept with it; empty if it kept none."""
    lines = read_predictions(run.joinpath("trials", record.id, record.environment, PREDICTIONS))
    if isinstance(lines, str):
        return ""
    return digest(sorted([str(line.get("task", "")), line["id"], json.dumps(line.get("prediction"))] for line in lines))


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
