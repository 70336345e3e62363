"""Find trials that are published twice, known by what they predict and not by when they are said to have run."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ..fingerprint import digest
from ..formatting import one_line
from ..records.record_set import place_of
from .faults import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..records.record import Record
    from .entry import Entry


def shared_trials(entries: Sequence[Entry]) -> list[str]:
    """Return a line for each entry with trials that an earlier entry of the same machine and software has too.

    Trials are the same if their ids and what they predict are: their seeds would count twice.
    """
    owner: dict[tuple[Any, ...], Entry] = {}
    shared: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for entry in entries:
        for record in sorted(entry.records, key=lambda record: (place_of(record), record.trial["seed"])):
            predicted = entry.predicted.get((record.id, record.environment))
            if predicted is not None:
                first = owner.setdefault((record.id, entry.device, digest(dict(entry.software)), predicted), entry)
                if first is not entry:
                    shared[str(entry.source), str(first.source)].append(record)
    return [
        one_line(
            f"{later}: repeated seeds: {len(records)} of its trials are also in {first}, such as {named(records[0])}; "
            "they predict the same, so keep one of the two"
        )
        for (later, first), records in shared.items()
    ]


def twins(entries: Sequence[Entry]) -> dict[str, tuple[str, ...]]:
    """Return the names of the runs on other machines or software that predict exactly the same, by name of the run."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in entries:
        for (trial, _), predicted in entry.predicted.items():
            found[trial, predicted].add(entry.name)
    same: dict[str, set[str]] = defaultdict(set)
    for names in found.values():
        for name in names:
            same[name] |= names - {name}
    return {name: tuple(sorted(others)) for name, others in same.items()}
