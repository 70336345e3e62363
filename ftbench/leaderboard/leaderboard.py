"""A leaderboard: published runs, ranked within comparable groups and followed over time.

Rows are in one group if suite, measuring version, device model and software are equal; nothing is ranked across groups.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..analysis.summary import summarise
from ..analysis.task_column import places_of
from ..errors import RunError
from ..fingerprint import digest
from ..records.data_check import merged_flaws
from ..records.record_set import place_of
from .duplicates import shared_trials, twins
from .entry import with_families
from .faults import trial_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..analysis.contender import Quantity
    from ..analysis.summary import Summary
    from ..records.record import Record
    from ..stats.item_scores import Items
    from .entry import Entry
    from .reruns import Rerun


BUNDLES = "bundles"
"""Folder of a site that contains the bundles."""
_FEW = 100
"""Seeds above it are not expected to count from 0."""


@dataclass(frozen=True)
class Fingerprint:
    """What rows must have in common to be ranked together."""

    suite: str
    """Hash of data, weights, protocol, splits, profile and equivalence margins."""
    measuring: int | None
    """Version of the measurements; None if the run does not state it."""
    device: str
    """Model of the training device."""
    software: Mapping[str, str] = field(default_factory=dict)
    """Versions that can change a number, without the ones that may differ."""

    @property
    def key(self) -> str:
        """Hash of all fields."""
        return digest([self.suite, self.measuring, self.device, dict(self.software)])


@dataclass(frozen=True)
class PublishedRun:
    """A run of a leaderboard."""

    name: str
    """Name of the run, its page and its bundle."""
    suite: str
    """Name of the suite."""
    sha256: str
    """SHA-256 of the bundle."""
    size: int
    """Size of the bundle in bytes."""
    finished: float
    """When its last trial ended, in seconds since 1970; 0 if unknown."""
    harness: str
    """Version of ftbench; empty if unknown."""
    environment: str
    """Hash of the software and hardware."""
    hardware: Mapping[str, Any]
    software: Mapping[str, str]
    fingerprint: Fingerprint
    summary: Summary
    """Summary of this run alone."""
    twins: tuple[str, ...] = ()
    """Runs on other machines or software whose trials predict exactly the same."""
    rerun: Rerun | None = None
    """Who trained some of its trials again, with the same predictions."""

    @property
    def absent_seeds(self) -> tuple[int, ...]:
        """Numbers below its largest seed that are not among its seeds."""
        seeds = self.summary.seeds
        return tuple(seed for seed in range(min(max(seeds, default=0), _FEW)) if seed not in seeds)

    @property
    def bundle(self) -> str:
        """Path of its bundle within a site."""
        return bundle_path(self.name)


@dataclass(frozen=True)
class Group:
    """Rows that may be ranked together: for each strategy the run with the most scores, of several the newest."""

    fingerprint: Fingerprint
    suite: str
    """Name of the suite."""
    runs: tuple[str, ...]
    """Names of the runs with this fingerprint, newest first."""
    summary: Summary
    """Summary of all rows."""
    sources: Mapping[str, str]
    """Label of a strategy → name of the run its rows come from."""
    places: Mapping[str, Mapping[str, tuple[int, int]]]
    """Task column → contender → its possible ranks, 1 the best; without contenders with too few seeds for a claim."""


@dataclass(frozen=True)
class Point:
    """One run of a series."""

    run: str
    """Name of the run."""
    score: Quantity | None
    """The primary score; None if there is none."""
    statuses: Mapping[str, int]
    """Status → number of seeds."""
    current: bool
    """Whether its group ranks this run's row."""


@dataclass(frozen=True)
class Series:
    """A strategy in a task column of a suite on a device model, run after run; shown side by side, not ranked."""

    suite: str
    """Hash of the suite."""
    measuring: int | None
    device: str
    target: str
    strategy: str
    """Label of the strategy, as in its groups."""
    contender: str
    """Label with the backbone, if the task column has several."""
    points: tuple[Point, ...]
    """Oldest first."""


@dataclass(frozen=True)
class Leaderboard:
    """All contents of a site."""

    harness: str
    """The version of ftbench that computed it."""
    drift: tuple[str, ...]
    """Software fields that may differ within a group, such as `software.pillow`; `software` means all of them."""
    runs: tuple[PublishedRun, ...]
    """Newest first."""
    groups: tuple[Group, ...]
    """By suite, then newest first."""
    series: tuple[Series, ...]

    @property
    def statuses(self) -> dict[str, int]:
        """Status → number of trials of all runs."""
        return dict(sum((Counter(run.summary.statuses) for run in self.runs), Counter()))


def bundle_path(run: str) -> str:
    """Return the path of a run's bundle within a site."""
    return f"{BUNDLES}/{run}.zip"


def leaderboard_of(
    entries: Sequence[Entry],
    harness: str,
    drift: Sequence[str] = (),
    reruns: Mapping[str, Rerun] | None = None,
) -> Leaderboard:
    """Build a leaderboard: rank the runs in their groups, and follow strategies over time.

    Args:
        entries: the runs, in any order.
        harness: the version of ftbench.
        drift: see `Leaderboard`.
        reruns: SHA-256 of a bundle → who trained some of its trials again.

    Raises:
        RunError: two entries contain the same trials; a line for each pair.
    """
    ordered = sorted(entries, key=lambda entry: (-entry.finished, entry.name))
    faults = shared_trials(ordered[::-1])
    if faults:
        raise RunError(*faults)
    same = twins(ordered)
    runs = {
        entry.name: replace(_run(entry, drift, same.get(entry.name, ())), rerun=(reruns or {}).get(entry.sha256))
        for entry in ordered
    }
    by_suite: dict[str, list[Entry]] = defaultdict(list)
    for entry in ordered:
        by_suite[entry.suite].append(entry)
    groups, series = [], []
    for suite in sorted(by_suite.values(), key=lambda found: (found[0].records[0].trial["suite"], found[0].suite)):
        labels = _labels(suite)
        by_key: dict[str, list[Entry]] = defaultdict(list)
        for entry in suite:
            by_key[runs[entry.name].fingerprint.key].append(entry)
        found = [_group(group, labels, runs[group[0].name].fingerprint) for group in by_key.values()]
        groups += found
        series += _series(
            suite, labels, runs, {(one.fingerprint.key, *pair) for one in found for pair in one.sources.items()}
        )
    return Leaderboard(harness, tuple(sorted({*drift})), tuple(runs.values()), tuple(groups), tuple(series))


def _run(entry: Entry, drift: Sequence[str], same: tuple[str, ...]) -> PublishedRun:
    kept = {
        name: version for name, version in entry.software.items() if not {"software", f"software.{name}"} & {*drift}
    }
    first = entry.records[0]
    measuring = entry.harness.get("measuring")
    return PublishedRun(
        name=entry.name,
        suite=str(first.trial["suite"]),
        sha256=entry.sha256,
        size=entry.bundle.stat().st_size,
        finished=entry.finished,
        harness=str(entry.harness.get("version", "")),
        environment=first.environment,
        hardware=dict(entry.hardware),
        software=dict(entry.software),
        fingerprint=Fingerprint(entry.suite, measuring if isinstance(measuring, int) else None, entry.device, kept),
        summary=entry.summary,
        twins=same,
    )


# ---- labels over all runs --------------------------------------------------------------------------------------------


def _labels(entries: Sequence[Entry]) -> dict[tuple[str, str], str]:
    """Return unique labels for the strategies of all runs of a suite.

    If runs use one label for several configurations (options or learning rates), the start of the configuration's hash
    is appended.

    Returns:
        (Name of an entry, label in that entry) → label in the leaderboard.
    """
    meant = {
        (entry.name, label): configuration
        for entry in entries
        for label, configuration in _configurations(entry).items()
    }
    by_label: dict[str, set[str]] = defaultdict(set)
    for (_, label), configuration in meant.items():
        by_label[label].add(configuration)
    return {
        (name, label): label if len(by_label[label]) == 1 and " #" not in label else f"{label} #{configuration[:4]}"
        for (name, label), configuration in meant.items()
    }


def _configurations(entry: Entry) -> dict[str, str]:
    """Return label → hash of the configuration it has in a run."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for record in entry.records:
        place, trial = place_of(record), record.trial
        rates = [stage["training"]["lr"] for stage in trial["stages"]]
        found[place.strategy][f"{place.target}\0{place.backbone}"] = [trial_part(trial["strategy"]), rates]
    return {label: digest(configured) for label, configured in found.items()}


def _relabelled(record: Record, label: str) -> Record:
    if record.trial["strategy"]["label"] == label:
        return record
    return replace(record, trial={**record.trial, "strategy": {**record.trial["strategy"], "label": label}})


# ---- groups ----------------------------------------------------------------------------------------------------------


def _group(entries: Sequence[Entry], labels: Mapping[tuple[str, str], str], fingerprint: Fingerprint) -> Group:
    """Rank each strategy by its run with the most scores; of several, by the newest.

    Args:
        entries: entries with the same fingerprint, newest first.
        labels: see `_labels`.
        fingerprint: their fingerprint.
    """
    chosen = _chosen(entries, labels)
    records: list[Record] = []
    homes: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        for record in entry.records:
            label = labels[entry.name, record.trial["strategy"]["label"]]
            if chosen[label] is entry:
                records.append(_relabelled(record, label))
                homes[record.id, record.environment] = entry

    def read(record: Record) -> Items | str:
        return homes[record.id, record.environment].items[record.id, record.environment]

    order = [labels.get((entry.name, label), label) for entry in entries for label in entry.order]
    known = {
        (target.label, c.backbone, label): c
        for entry in entries
        for target in entry.summary.targets
        for c in (*target.contenders, *target.references)
        if chosen[label := labels[entry.name, c.strategy]] is entry
    }
    summary = summarise(
        records,
        tuple(dict.fromkeys(order)),
        None,
        entries[0].statistics,
        read,
        budgets={place: contender.budget for place, contender in known.items() if contender.budget},
        prefer=entries[0].prefer,
    )
    families = {label: contender.family for (_, _, label), contender in known.items()}
    summary = with_families(summary, families)
    summary = replace(summary, data=merged_flaws(entry.summary.data for entry in entries))
    return Group(
        fingerprint=fingerprint,
        suite=str(entries[0].records[0].trial["suite"]),
        runs=tuple(entry.name for entry in entries),
        summary=summary,
        sources={label: entry.name for label, entry in chosen.items()},
        places={target.label: places_of(target) for target in summary.targets},
    )


def _chosen(entries: Sequence[Entry], labels: Mapping[tuple[str, str], str]) -> dict[str, Entry]:
    """Return the entry whose rows are ranked, for each label; `entries` are newest first."""
    scores: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        for record in entry.records:
            scores[labels[entry.name, record.trial["strategy"]["label"]]][entry.name] += record.status == "ok"
    return {
        label: max((e for e in entries if e.name in found), key=lambda e: found[e.name])
        for label, found in scores.items()
    }


# ---- over time -------------------------------------------------------------------------------------------------------


def _series(
    entries: Sequence[Entry],
    labels: Mapping[tuple[str, str], str],
    runs: Mapping[str, PublishedRun],
    current: set[tuple[str, str, str]],
) -> list[Series]:
    """Follow each strategy of a suite over its runs, oldest first, by device model and measuring version."""
    found: dict[tuple[int | None, str, str, str, str], list[Point]] = defaultdict(list)
    for entry in reversed(entries):
        run = runs[entry.name]
        found_by = run.fingerprint
        for target in run.summary.targets:
            for contender in target.contenders:
                label = labels[entry.name, contender.strategy]
                shown = label + contender.label.removeprefix(contender.strategy)
                score = contender.quantities.get(target.primary)
                point = Point(run.name, score, contender.statuses, (found_by.key, label, run.name) in current)
                found[found_by.measuring, found_by.device, target.label, label, shown].append(point)
    suite = entries[0].suite
    return [Series(suite, *key, points=tuple(points)) for key, points in found.items()]
