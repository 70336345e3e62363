"""The errors of a run's tasks, read from its predictions; with the test items themselves where the data can be read again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..data.previews import Previews, exhibits_of
from ..records.predictions import PREDICTIONS, read_predictions
from .error_analysis import by_length, errors_of, usable
from .task_column import grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ..api.catalog import Catalog
    from ..records.record import Record
    from .error_analysis import Errors
    from .task_column import TaskColumn


def inspected(
    target: TaskColumn, records: Sequence[Record], place: Callable[[Record], Path], catalog: Catalog | None = None
) -> TaskColumn:
    """Give a target with what goes wrong on its tasks.

    Args:
        target: as it was summed up.
        records: of the target.
        place: gives the folder of a trial, where its predictions are.
        catalog: what builds the tasks, so that test items can be shown; without it they are named only.
    """
    lines = _lines(records, place)
    found: list[Errors] = []
    exhibits: dict[str, Previews] = {}
    for number, task in enumerate(target.tasks):
        confusion = {c.label: c.confusion[task] for c in target.contenders if task in c.confusion}
        if not confusion:
            continue
        ordered = usable({c.label: lines[c.label][task] for c in target.contenders if task in lines.get(c.label, {})})
        errors = errors_of(task, confusion, target.classes.get(task, ()), ordered)
        if catalog is not None and errors.leader:
            trial = records[0].trial
            shown = exhibits_of(
                catalog, trial["stages"][number]["task"], trial["split_seed"], [one.id for one in errors.mistakes]
            )
            exhibits[task] = shown
            errors = replace(errors, slices=(*errors.slices, *by_length(ordered, shown.lengths)))
        found.append(errors)
    return replace(target, errors=tuple(found), exhibits=exhibits)


def _lines(
    records: Sequence[Record], place: Callable[[Record], Path]
) -> dict[str, dict[str, dict[int, list[Mapping[str, Any]]]]]:
    """Give contender → task → seed → predictions."""
    found: dict[str, dict[str, dict[int, list[Mapping[str, Any]]]]] = defaultdict(lambda: defaultdict(dict))
    for label, group in grouped(records).items():
        for record in group:
            read = read_predictions(place(record) / PREDICTIONS) if record.status == "ok" else ""
            for line in read if isinstance(read, list) else ():
                found[label][str(line.get("task", ""))].setdefault(record.trial["seed"], []).append(line)
    return found
