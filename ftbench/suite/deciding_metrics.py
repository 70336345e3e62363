"""Check the deciding metrics of a suite file, `metric` in `[[task]]`, and yield one line for each mistake."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..api.task_kinds import metric_mistake
from ..errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..api.catalog import Catalog
    from .suite import SequenceChoice, TaskChoice


def deciding_metric_mistake(metric: str, choice: Mapping[str, Any], catalog: Catalog) -> str:
    """Return what is wrong with the deciding metric of a task; empty if nothing is, or if that is not known yet.

    No data are read, so the class in a score of one class is checked later, with the plan.

    Args:
        metric: name of the score.
        choice: `use` and `options` of the task; mistakes in the options are reported elsewhere.
        catalog: builds the task.
    """
    cls = catalog.find("tasks", choice["use"])
    wrong = {re.split(r"[.\[]", where)[0] for where, _ in catalog.mistakes(cls, choice["options"])}
    options = {name: value for name, value in choice["options"].items() if name not in wrong}
    if wrong:
        # The other options may be enough to list the scores, so that all mistakes are reported at once.
        options = {**cls.without_data(), **options}  # type: ignore[attr-defined]  # every task has it
    with suppress(UserError):
        return metric_mistake(catalog.build("tasks", choice["use"], options), metric)
    return ""


def sequence_metric_mistakes(
    tasks: Sequence[TaskChoice], sequences: Sequence[SequenceChoice], catalog: Catalog
) -> Iterator[str]:
    """Check that the tasks of a sequence have one deciding metric, since the sequence is scored by its mean."""
    known = {task.label: task for task in tasks}
    for number, sequence in enumerate(sequences, 1):
        members = [known[label] for label in dict.fromkeys(sequence.tasks) if label in known]
        metrics = {task.label: task.metric or catalog.find("tasks", task.use).primary for task in members}  # type: ignore[attr-defined]  # every task has it
        if any(task.metric for task in members) and len(set(metrics.values())) > 1:
            asked = " and ".join(f"{label!r} has {metric}" for label, metric in metrics.items())
            yield (
                f"sequence[{number}].tasks: the mean over tasks needs one deciding metric, but {asked}; "
                "set the same `metric`, or add a task entry of its own for the sequence, with alone = false"
            )
