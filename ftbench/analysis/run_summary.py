"""One summary of one run or of several: read from directories and bundles, and held against each other before they stand together."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import NotComparable, RunError
from ..records.comparability import configuration, differences, without
from ..records.predictions import PREDICTIONS, read_items
from ..records.record_set import Place, collect, opened
from ..records.redaction import discreet_text
from ..records.run_files import read_lock, read_plan
from ..records.store import read_records, record_files
from ..records.trial_log import end_of
from .error_examples import inspected
from .summary import summarise
from .tuning_summary import budgets_of, searches_of, with_tuning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..api.catalog import Catalog
    from ..records.comparability import Difference, Part
    from ..records.record import Record
    from ..records.record_set import RecordSet
    from ..records.run_files import Lock
    from ..stats.item_scores import Items
    from .summary import Summary

_MACHINES: tuple[Part, ...] = ("software", "hardware")
_LOG = 2000


@dataclass(frozen=True)
class _Run:
    """A run whose folder is there for the time being."""

    name: str
    """What tells it from the others."""
    folder: Path
    found: RecordSet
    lock: Lock
    """The resolved suite."""
    tuning: tuple[Record, ...] = ()
    """What serves a tuning alone."""
    searches: tuple[Mapping[str, Any], ...] = ()
    """What was searched, as the run's plan notes it."""


def summarise_runs(
    paths: Sequence[Path], baseline: str | None = None, catalog: Catalog | None = None, allowed: Sequence[str] = ()
) -> Summary:
    """Sum runs up as one, in the order of their suites.

    A strategy that stands in several runs with the same settings and code is one with more seeds; with others it stands once for each
    run, named after it.

    Args:
        paths: run directories and bundles.
        baseline: label of the strategy the others are compared with; `full` where there is one.
        catalog: what builds tasks; with it the test items that were mistaken are read again, to be shown.
        allowed: fields in which the runs may differ, by dotted name.

    Raises:
        RunError: one of them is no run, is empty, or holds a file that is no record.
        NotComparable: they differ in data, protocol, software or hardware; a line for each difference.
    """
    with ExitStack() as stack:
        runs = [
            _read(path, stack.enter_context(opened(path)), name)
            for path, name in zip(paths, _names(paths), strict=True)
        ]
        drift = _refuse_unlike(runs, allowed)
        together = _Together(runs)
        records = together.records
        order = list(dict.fromkeys(label for run in runs for label in together.order(run)))

        def read(record: Record) -> Items | str:
            return read_items(together.place(record) / PREDICTIONS, record)

        budgets = budgets_of(together.searches)
        summary = summarise(
            records,
            order,
            baseline,
            runs[0].lock.statistics,
            read,
            unfinished=together.unfinished,
            log=together.log,
            budgets=budgets,
        )
        summary = with_tuning(summary, together.tuning, together.searches, read)
        of_target: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            of_target[record.trial["target"]].append(record)
        targets = tuple(
            inspected(target, of_target[target.label], together.place, catalog) for target in summary.targets
        )
    suites = tuple(dict.fromkeys(run.found.suite for run in runs))
    remarks = (*summary.remarks, *together.remarks, *(f"the runs differ in {one}, which was allowed" for one in drift))
    return replace(summary, targets=targets, suite=" and ".join(suites), suites=suites, remarks=remarks)


def _names(paths: Sequence[Path]) -> list[str]:
    """Give each a name that no other has: the last part of its path, or all of it."""
    stems = [path.resolve().stem for path in paths]
    return [stem if stems.count(stem) == 1 else str(path) for stem, path in zip(stems, paths, strict=True)]


def _read(path: Path, folder: Path, name: str) -> _Run:
    try:
        found = collect(read_records(record_files(folder)), str(path), folder)
        tuning = tuple(read_records(record_files(folder, tuning=True)))
    except RunError as error:
        # A bundle is read from a folder that nobody has heard of.
        raise RunError(*(line.replace(str(folder), str(path)) for line in error.mistakes)) from None
    plan = read_plan(folder)
    return _Run(name, folder, found, read_lock(folder), tuning, plan.tuning.searches if plan else ())


# ---- held against each other --------------------------------------------------------------------------------------------


def _refuse_unlike(runs: Sequence[_Run], allowed: Sequence[str]) -> list[Difference]:
    """Refuse runs that must not stand on one page; gives the differences that were allowed."""
    known: dict[tuple[str, str], Record] = {}
    found: dict[Difference, None] = {}
    for run in runs:
        mine = _examples(run)
        for (target, backbone), record in mine.items():
            found |= dict.fromkeys(_unlike(known, record, target, backbone))
        known = {**mine, **known}
    refused = without(found, allowed)
    if refused:
        lines = [f"not comparable: {one}" for one in refused]
        raise NotComparable(*lines[:-1], f"{lines[-1]}; `--allow-drift FIELD` shows them on one page all the same")
    return list(found)


def _examples(run: _Run) -> dict[tuple[str, str], Record]:
    """Give a record of each target and backbone that knows where it ran; all of one run are alike."""
    found: dict[tuple[str, str], Record] = {}
    for place, by_seed in run.found.records.items():
        for record in by_seed.values():
            if record.provenance.get("software"):
                found.setdefault((place.target, place.backbone), record)
    return found


def _unlike(known: Mapping[tuple[str, str], Record], record: Record, target: str, backbone: str) -> list[Difference]:
    if (target, backbone) in known:
        return differences([(known[target, backbone], record)])
    same_task = next((other for (label, _), other in known.items() if label == target), None)
    if same_task is not None:
        return without(differences([(same_task, record)]), ["data.backbone"])
    return differences(((other, record) for other in list(known.values())[:1]), _MACHINES)


# ---- as one --------------------------------------------------------------------------------------------------------------


class _Together:
    """The records of all runs, each under a label that means one thing."""

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
            self.remarks.append(f"{repeated} trials stand in several of the runs; those of the first are shown")

    def _tune(self, runs: Sequence[_Run]) -> None:
        """Take what serves a tuning, of each place from the first run that has any."""
        self.tuning: list[Record] = []
        self.searches: dict[tuple[str, str, str], Mapping[str, Any]] = {}
        for run in runs:
            mine = {place: self._label(run, Place(*place)) for place in searches_of(run.tuning, run.searches)}
            fresh = {place: label for place, label in mine.items() if (place[0], place[1], label) not in self.searches}
            for place, one in searches_of(run.tuning, run.searches).items():
                if place in fresh:
                    self.searches[place[0], place[1], fresh[place]] = one
            for record in run.tuning:
                place = (record.trial["target"], record.trial["backbone"]["label"], record.trial["strategy"]["label"])
                if place in fresh:
                    self.tuning.append(_relabelled(record, fresh[place]))
                    self._folders[record.id, record.environment] = run.folder

    def place(self, record: Record) -> Path:
        """Give the folder of a trial."""
        return self._folders[record.id, record.environment] / "trials" / record.id / record.environment

    def log(self, record: Record) -> str:
        """Give the end of what a trial's last attempt wrote; nothing where that is not kept, as in a bundle."""
        path = self.place(record) / "attempts" / str(record.attempts) / "output.log"
        try:
            return discreet_text(end_of(path, _LOG)) if path.is_file() else ""
        except OSError:
            return ""

    def order(self, run: _Run) -> list[str]:
        """Give labels of targets and strategies in the order of the run's suite."""
        return [name for label in run.lock.labels for name in (label, f"{label} ({run.name})")]

    def _label(self, run: _Run, place: Place) -> str:
        return f"{place.strategy} ({run.name})" if place in self._ambiguous else place.strategy


def _ambiguous(runs: Sequence[_Run]) -> set[Place]:
    """Give the places at which runs have another strategy under the same label."""
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
