"""The names of deciding metrics: what a suite may give, and the message for what it may not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import suggestion
from .task_kinds import ClassificationTask, MultiLabelTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .task import Task

ONE_CLASS = ("recall", "precision", "f1")
"""Kinds of scores of one class."""
_OF_CLASS = re.compile(rf"({'|'.join(ONE_CLASS)})\[(.+)\]", re.DOTALL)
LOSS = "loss"
"""The score that every task has: its mean loss is added if the task measures none itself."""


def of_class(name: str) -> tuple[str, str] | None:
    """Return kind and class of a score of one class, such as `recall[spam]`; None if the name is not of this form."""
    match = _OF_CLASS.fullmatch(name)
    return (match[1], match[2]) if match else None


def metric_mistake(task: Task, name: str) -> str:
    """Return what is wrong with the name of a deciding metric, without reading data; empty if nothing is.

    A task that does not list its scores takes any name; a wrong one is then found when the first split is scored.
    """
    names = task.metric_names()
    if not names:
        return ""
    known = dict.fromkeys((*names, LOSS))
    if name in known or (of_class(name) and has_classes(task)):
        return ""
    return not_a_score(name, tuple(known), one_class=has_classes(task))


def class_mistake(task: Task, name: str) -> str:
    """Return what is wrong with the class in a score of one class, which may read the data; empty if nothing is.

    Raises:
        UserError: the classes cannot be read.
    """
    asked = of_class(name)
    if asked is None or not has_classes(task) or asked[1] in task.classes:
        return ""
    return f"{asked[1]!r} is not a class of this task{suggestion(asked[1], task.classes)}"


def has_classes(task: Task) -> bool:
    """Return whether a task has scores of one class."""
    return isinstance(task, ClassificationTask | MultiLabelTask)


def not_a_score(name: str, known: Sequence[str], *, one_class: bool) -> str:
    """Return the message for an unknown score: the nearest known name, if any is near, and all known names.

    Args:
        name: the unknown name.
        known: names of the task's scores.
        one_class: whether the task also has scores of one class.
    """
    kinds = ONE_CLASS if one_class else ()
    inner = name.partition("[")[2].removesuffix("]")
    near = suggestion(name, [*known, *(f"{kind}[{inner}]" for kind in kinds if inner)])
    hint = f"{near} known" if near.endswith("?") else "; known"
    return f"{name!r} is not a score of this task{hint}: {', '.join((*known, *(f'{kind}[CLASS]' for kind in kinds)))}"
