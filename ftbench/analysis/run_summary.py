"""Summarise one or several runs, read from directories and bundles, after checking that they are comparable."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import NotComparable, RunError
from ..records.comparability import configuration, differences, without
from ..records.data_check import merged_flaws
from ..records.predictions import PREDICTIONS, read_items
from ..records.record_set import Place, collect, opened
from ..records.redaction import redacted_text
from ..records.run_files import read_lock, read_plan
from ..records.store import read_records, record_files
from ..records.trial_log import end_of
from .contender import family_of
from .errors.error_examples import inspected
from .summary import summarise
from .tuning.tuning_summary import budgets_of, configuration_of, searches_of, with_tuning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..api.catalog import Catalog
    from ..records.comparability import Difference, Part
    from ..records.record import Record
    from ..records.record_set import RecordSet
    from ..records.run_files import Lock
    from ..stats.item_scores import Items
    from .summary import Summary
    from .task_column import TaskColumn

_MACHINES: tuple[Part, ...] = ("software", "hardware")
_LOG = 2000


@dataclass(frozen=True)
class _Run:
    """A run while its folder is open; that of a bundle is temporary."""

    name: str
    """Name that no other run has."""
    folder: Path
    found: RecordSet
    lock: Lock
    """The resolved suite."""
    tuning: tuple[Record, ...] = ()
    """Records that serve only the tuning."""
    searches: tuple[Mapping[str, Any], ...] = ()
    """Searches listed in the plan of the run."""


def summarise_runs(
    paths: Sequence[Path],
    baseline: str | None = None,
    catalog: Catalog | None = None,
    allowed: Sequence[str] = (),
    *,
    examples: bool = True,
) -> Summary:
    """Summarise runs as one, in the order of their suites.

    If a strategy has the same settings and code in several runs, their seeds are pooled. Otherwise it is listed once
    per run, with the name of the run in its label.

    Args:
        paths: run directories and bundles.
        baseline: label of the strategy that the others are compared with; `full` by default, if there is one.
        catalog: knows the families of strategies, and builds tasks to preview wrongly predicted test items.
        allowed: dotted names of fields in which the runs may differ.
        examples: whether to read test items again to preview them.

    Raises:
        RunError: if a path is not a run, is empty, or has an invalid record.
        NotComparable: if runs differ in data, protocol, software or hardware; one line per difference.
    """
    with ExitStack() as stack:
        runs = [
            _read(path, stack.enter_context(opened(path)), name)
            for path, name in zip(paths, _names(paths), strict=True)
        ]
        drift = _check_comparable(runs, allowed)
        merged = _MergedRuns(runs)
        records = merged.records
        order = list(dict.fromkeys(label for run in runs for label in merged.order(run)))

        def read(record: Record) -> Items | str:
            return read_items(merged.place(record) / PREDICTIONS, record)

        budgets = budgets_of(merged.searches)
        summary = summarise(
            records,
            order,
            baseline,
            runs[0].lock.statistics,
            read,
            unfinished=merged.unfinished,
            log=merged.log,
            budgets=budgets,
            prefer=runs[0].lock.report.prefer,
        )
        summary = with_tuning(summary, merged.tuning, merged.searches, read)
        of_target: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            of_target[record.trial["target"]].append(record)
        previewing = catalog if examples else None
        # A run may be a stranger's, and name any folder of this machine as its data.
        within = Path.cwd()
        targets = tuple(
            _with_families(inspected(target, of_target[target.label], merged.place, previewing, within), catalog)
            for target in summary.targets
        )
    suites = tuple(dict.fromkeys(run.found.suite for run in runs))
    remarks = (*summary.remarks, *merged.remarks, *(f"the runs differ in {one}, which was allowed" for one in drift))
    data = merged_flaws(run.found.data.tasks for run in runs if run.found.data is not None)
    return replace(summary, targets=targets, suite=" and ".join(suites), suites=suites, remarks=remarks, data=data)


def _with_families(target: TaskColumn, catalog: Catalog | None) -> TaskColumn:
    if catalog is None:
        return target
    contenders, references = (
        tuple(replace(c, family=family_of(c.use, c.settings, catalog)) for c in group)
        for group in (target.contenders, target.references)
    )
    return replace(target, contenders=contenders, references=references)


def _names(paths: Sequence[Path]) -> list[str]:
    """Return a unique name for each path: its last part, or the whole path if that is not unique."""
    stems = [path.resolve().stem for path in paths]
    return [stem if stems.count(stem) == 1 else str(path) for stem, path in zip(stems, paths, strict=True)]


def _read(path: Path, folder: Path, name: str) -> _Run:
    try:
        found = collect(read_records(record_files(folder)), str(path), folder)
        tuning = tuple(read_records(record_files(folder, tuning=True)))
    except RunError as error:
        # A bundle is read from a temporary folder, which means nothing to the user.
        raise RunError(*(line.replace(str(folder), str(path)) for line in error.mistakes)) from None
    plan = read_plan(folder)
    return _Run(name, folder, found, read_lock(folder), tuning, plan.tuning.searches if plan else ())


# ---- comparability -------------------------------------------------------------------------------------------------


def _check_comparable(runs: Sequence[_Run], allowed: Sequence[str]) -> list[Difference]:
    """Raise an error if runs must not share a page; otherwise return the differences that were allowed.

    Raises:
        NotComparable: one line per difference that is not allowed.
    """
    known: dict[tuple[str, str], Record] = {}
    found: dict[Difference, None] = {}
    for run in runs:
        own = _sample_records(run)
        for (target, backbone), record in own.items():
            found |= dict.fromkeys(_drift(known, record, target, backbone))
        known = {**own, **known}
    refused = without(found, allowed)
    if refused:
        lines = [f"not comparable: {one}" for one in refused]
        raise NotComparable(*lines[:-1], f"{lines[-1]}; use `--allow-drift FIELD` to show them on one page anyway")
    return list(found)


def _sample_records(run: _Run) -> dict[tuple[str, str], Record]:
    """Return a record with provenance for each task column and backbone; within a run they are interchangeable."""
    found: dict[tuple[str, str], Record] = {}
    for place, by_seed in run.found.records.items():
        for record in by_seed.values():
            if record.provenance.get("software"):
                found.setdefault((place.target, place.backbone), record)
    return found


def _drift(known: Mapping[tuple[str, str], Record], record: Record, target: str, backbone: str) -> list[Difference]:
    if (target, backbone) in known:
        return differences([(known[target, backbone], record)])
    same_task = next((other for (label, _), other in known.items() if label == target), None)
    if same_task is not None:
        return without(differences([(same_task, record)]), ["data.backbone"])
    return differences(((other, record) for other in list(known.values())[:1]), _MACHINES)


# ---- merging -------------------------------------------------------------------------------------------------------


class _MergedRuns:
    """The records of all runs, relabelled so that each label means one strategy."""

    def __init__(self, runs: Sequence[_Run]) -> None:
        self.remarks: list[str] = []
        self._folders: dict[tuple[str, str], Path] = {}
        self._ambiguous = _ambiguous(runs)
        by_place: dict[tuple[str, str, str, int], Record] = {}
        repeated = 0
        for run in runs:
            for place, by_seed in run.found.records.items():
                label = self._label(run, place)
                for seed, record in by_seed.items():
                    key = (place.target, place.backbone, label, seed)
                    repeated += key in by_place
                    if key not in by_place:
                        by_place[key] = _relabelled(record, label)
                        self._folders[record.id, record.environment] = run.folder
        self.records = list(by_place.values())
        self._tune(runs)
        self.unfinished = [
            key
            for run in runs
            for place, seed in run.found.unfinished
            if (key := (place.target, place.backbone, self._label(run, place), seed)) not in by_place
        ]
        if repeated:
            self.remarks.append(f"{repeated} trials are in more than one run; the first run's records are shown")

    def _tune(self, runs: Sequence[_Run]) -> None:
        """Merge tuning records and searches; for each configuration, those of the first run that has any."""
        self.tuning: list[Record] = []
        self.searches: dict[tuple[str, str, str], Mapping[str, Any]] = {}
        for run in runs:
            labels = {place: self._label(run, Place(*place)) for place in searches_of(run.tuning, run.searches)}
            fresh = {
                place: label for place, label in labels.items() if (place[0], place[1], label) not in self.searches
            }
            for place, one in searches_of(run.tuning, run.searches).items():
                if place in fresh:
                    self.searches[place[0], place[1], fresh[place]] = one
            for record in run.tuning:
                if (place := configuration_of(record)) in fresh:
                    self.tuning.append(_relabelled(record, fresh[place]))
                    self._folders[record.id, record.environment] = run.folder

    def place(self, record: Record) -> Path:
        """Return the folder of a trial."""
        return Path(f"{self._folders[record.id, record.environment]}/trials/{record.id}/{record.environment}")

    def log(self, record: Record) -> str:
        """Return the end of the trial log of the last attempt; empty if there is no log, as in a bundle."""
        path = self.place(record) / "attempts" / str(record.attempts) / "output.log"
        try:
            return redacted_text(end_of(path, _LOG)) if path.is_file() else ""
        except OSError:
            return ""

    def order(self, run: _Run) -> list[str]:
        """Return labels of task columns and strategies in the order of the run's suite."""
        return [name for label in run.lock.labels for name in (label, f"{label} ({run.name})")]

    def _label(self, run: _Run, place: Place) -> str:
        return f"{place.strategy} ({run.name})" if place in self._ambiguous else place.strategy


def _ambiguous(runs: Sequence[_Run]) -> set[Place]:
    """Return the configurations for which runs have different strategies under the same label."""
    meant: dict[Place, list[Any]] = defaultdict(list)
    for run in runs:
        for place, by_seed in run.found.records.items():
            meant[place].append(configuration(next(iter(by_seed.values()))))
    return {place for place, found in meant.items() if any(one != found[0] for one in found)}


def _relabelled(record: Record, label: str) -> Record:
    strategy = record.trial["strategy"]
    return (
        record
        if strategy["label"] == label
        else replace(record, trial={**record.trial, "strategy": {**strategy, "label": label}})
    )
