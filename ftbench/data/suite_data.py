"""Check the data of every task of a suite, and stop a run whose data have errors before its first trial."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..api.augmentation import clean_options
from ..api.task_kinds import class_mistake
from ..errors import SuiteError, UserError
from ..records.data_check import SEVERITIES, DataCheck, Flaw, Severity, TaskFlaws, lines_of
from .checks import UNEQUAL, Inspectable, check_data

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..api.backbone import Backbone
    from ..api.catalog import Catalog
    from ..suite.suite import Suite, TaskChoice


def examine(suite: Suite, catalog: Catalog) -> tuple[TaskFlaws, ...]:
    """Check the data of every task of a suite on user data.

    Raises:
        SuiteError: data cannot be read or divided; one line for each task.
    """
    found, mistakes = [], []
    for number, choice in enumerate(suite.tasks, 1):
        try:
            task = catalog.build("tasks", choice.use, choice.options)
            if mistake := class_mistake(task, choice.metric):
                mistakes.append(f"{suite.source}: task[{number}].metric: {mistake}")
            backbone = _backbone_of(task, choice, suite, catalog) if isinstance(task, Inspectable) else None
            if isinstance(task, Inspectable) and backbone is not None:
                flaws = check_data(task, backbone, suite.split_seed, clean_options(task, catalog.options(task)))
                found.append(TaskFlaws(choice.label, tuple(_as_decided(flaw, choice) for flaw in flaws)))
        except UserError as error:
            mistakes += [f"{suite.source}: task[{number}]: {mistake}" for mistake in error.mistakes]
    if mistakes:
        raise SuiteError(*mistakes)
    return tuple(found)


def check_before_run(
    suite: Suite, catalog: Catalog, tasks: Collection[str], tolerated: Severity, say: Callable[[str], None]
) -> DataCheck:
    """Check the data of a suite, and say what was found: one line for each error and warning.

    Args:
        suite: the suite.
        catalog: what the plugins offer.
        tasks: labels of the tasks that are about to run.
        tolerated: the most severe kind of flaw with which these tasks may run.
        say: called with each line.

    Raises:
        SuiteError: data cannot be read or divided, or a task that is about to run has a flaw that is not tolerated; one
            line for each.
    """
    found = examine(suite, catalog)
    refused = SEVERITIES[: SEVERITIES.index(tolerated)]
    running = [one for one in found if one.task in tasks]
    if lines := lines_of(running, *refused):
        hint = "; correct the data, or go on with --allow-data-errors" if tolerated == "warning" else ""
        raise SuiteError(*(f"{suite.source}: {line}" for line in lines[:-1]), f"{suite.source}: {lines[-1]}{hint}")
    for line in lines_of(found, "error", "warning"):
        say(f"data: {line}")
    return DataCheck(found, allowed=any(one.of("error") for one in running))


def _as_decided(flaw: Flaw, choice: TaskChoice) -> Flaw:
    """Return a flaw as a note if the suite has followed its advice: another score than accuracy decides."""
    if flaw.kind != UNEQUAL or choice.metric in ("", "accuracy"):
        return flaw
    return replace(flaw, severity="note", advice=f"the deciding metric is {choice.metric}")


def _backbone_of(task: Any, choice: TaskChoice, suite: Suite, catalog: Catalog) -> Backbone | None:
    """Return the first backbone of the suite that runs on the task, or None."""
    for one in suite.backbones:
        backbone: Backbone = catalog.build("backbones", one.use, one.options)
        if one.label in choice.backbones if choice.backbones is not None else backbone.card().modality == task.modality:
            return backbone
    return None
