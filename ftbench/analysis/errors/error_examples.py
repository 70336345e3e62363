"""Error analysis of a run from its prediction files, with previews of the test items if the data can be read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...data.previews import Previews, previews_of
from ...records.predictions import PREDICTIONS, read_predictions
from ..task_column import grouped
from .error_analysis import errors_of, slices_by_length, with_probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ...api.catalog import Catalog
    from ...records.record import Record
    from ..task_column import TaskColumn
    from .error_analysis import Errors


def inspected(
    target: TaskColumn,
    records: Sequence[Record],
    place: Callable[[Record], Path],
    catalog: Catalog | None = None,
    within: Path | None = None,
) -> TaskColumn:
    """Return a task column with the error analysis of its tasks.

    Args:
        target: the task column.
        records: all records of the task column.
        place: returns the folder of a trial, which has its predictions.
        catalog: builds the tasks, so that test items can be shown; without it, only their ids are.
        within: folder that the data must be in to be read; None for any.
    """
    lines = _predictions(records, place)
    found: list[Errors] = []
    exhibits: dict[str, Previews] = {}
    for number, task in enumerate(target.tasks):
        confusion = {c.label: c.confusion[task] for c in target.contenders if task in c.confusion}
        if not confusion:
            continue
        ordered = with_probabilities(
            {c.label: lines[c.label][task] for c in target.contenders if task in lines.get(c.label, {})}
        )
        errors = errors_of(task, confusion, target.classes.get(task, ()), ordered)
        if catalog is not None and errors.leader:
            trial = records[0].trial
            wanted = [one.id for one in errors.mistakes]
            task_part = trial["stages"][number]["task"]
            shown = previews_of(catalog, task_part, trial["split_seed"], wanted, within=within)
            exhibits[task] = shown
            errors = replace(errors, slices=(*errors.slices, *slices_by_length(ordered, shown.lengths)))
        found.append(errors)
    return replace(target, errors=tuple(found), exhibits=exhibits)


_KEPT = ("task", "id", "label", "prediction", "probabilities")


def _predictions(
    records: Sequence[Record], place: Callable[[Record], Path]
) -> dict[str, dict[str, dict[int, list[Mapping[str, Any]]]]]:
    """Return contender → task → seed → predictions, of trials that state class probabilities; others are not kept."""
    found: dict[str, dict[str, dict[int, list[Mapping[str, Any]]]]] = defaultdict(lambda: defaultdict(dict))
    for label, group in grouped(records).items():
        for record in group:
            read = read_predictions(place(record) / PREDICTIONS, _KEPT) if record.status == "ok" else ""
            of_task: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
            for line in read if isinstance(read, list) else ():
                of_task[str(line.get("task", ""))].append(line)
            for task, lines in of_task.items():
                if all("probabilities" in line for line in lines):
                    found[label][task].setdefault(record.trial["seed"], []).extend(lines)
    return found
