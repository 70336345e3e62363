"""Check values of a suite that depend on each other, and yield one line for each mistake."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from ..api.protocol import OF_THE_LEARNER
from ..errors import suggestion
from .suite import seconds, task_training

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..api.protocol import Training
    from .suite import Gate, Limits, Machine, Measure, SequenceChoice, Statistics, TaskChoice

_METRIC = re.compile(r"[a-z][a-z0-9_]*(\[.+\])?", re.DOTALL)
_TARGET = re.compile(r"([^/\[]+)/(.+)", re.DOTALL)


def table_mistakes(tables: Mapping[str, Any]) -> Iterator[str]:
    """Check the tables of a suite, given by name; None marks a table that could not be read."""
    training, limits, machine, measure, gate = (
        tables[name] for name in ("training", "limits", "machine", "measure", "gate")
    )
    if training is not None:
        yield from training_mistakes(training, "training")
    if limits is not None:
        yield from _limit_mistakes(limits)
    if machine is not None:
        yield from _checkpoint_mistakes(machine)
        if measure is not None:
            yield from _worker_mistakes(machine, measure)
    if gate is not None:
        yield from _gate_mistakes(gate)


def training_mistakes(training: Training, key_path: str) -> Iterator[str]:
    """Check a training protocol, of the suite or of a task.

    Args:
        training: the complete protocol.
        key_path: its key in the file, such as `task[1].training`.
    """
    if (training.epochs is None) == (training.steps is None):
        yield f"{key_path}: give either epochs or steps"
    if training.batch_size % training.accumulation:
        yield f"{key_path}.accumulation: must divide batch_size {training.batch_size}"
    # At the last validation it is too late to change anything.
    needed = {}
    if training.schedule == "plateau":
        needed[f"schedule 'plateau' with patience {training.patience}"] = training.patience + 2
    if training.early_stopping:
        needed[f"early_stopping = {training.early_stopping}"] = training.early_stopping + 2
    if training.keep == "best":
        needed["keep = 'best'"] = 2
    for what, least in needed.items():
        if training.validations < least:
            yield f"{key_path}.validations: {what} needs {least} or more to change anything, got {training.validations}"


def _limit_mistakes(limits: Limits) -> Iterator[str]:
    for name in ("trial", "no_progress"):
        if not seconds(getattr(limits, name)) > 0:
            yield f"limits.{name}: must be a duration such as '90s', '30m' or '2h'"


def _checkpoint_mistakes(machine: Machine) -> Iterator[str]:
    if machine.checkpoint != "never" and not seconds(machine.checkpoint) >= 0:
        yield "machine.checkpoint: must be a duration such as '10m', or 'never'"


def _worker_mistakes(machine: Machine, measure: Measure) -> Iterator[str]:
    if machine.workers == 1:
        return
    if not measure.quality_only:
        what = f"{machine.workers} trials side by side disturb each other's measurements"
        yield f"machine.workers: {what}; set measure.quality_only = true, or leave it at 1"
    if machine.device == "cuda":
        yield "machine.workers: applies to CPUs only; with GPUs one trial runs on each GPU"


def _gate_mistakes(gate: Gate) -> Iterator[str]:
    if any(a >= b for a, b in itertools.pairwise(gate.looks)):
        yield "gate.looks: must increase, such as [3, 6, 10]"


def margin_mistakes(statistics: Statistics, targets: Sequence[str]) -> Iterator[str]:
    """Check the names of margins, except those of scores, which are known only once measured."""
    for name in statistics.margins:
        both = _TARGET.fullmatch(name)
        target, metric = both.groups() if both else ("", name)
        wanted = target or metric
        if wanted not in targets and (target or not _METRIC.fullmatch(metric)):
            known = f"no task or sequence is called {wanted!r}{suggestion(wanted, targets)}"
            yield f"statistics.margins.{shown_key(name)}: {known}; give a score, a label, or 'label/score'"


def sequence_mistakes(
    training: Training, tasks: Sequence[TaskChoice], sequences: Sequence[SequenceChoice]
) -> Iterator[str]:
    """Check that the tasks of a sequence agree on the options that belong to its one learner."""
    own = {task.label: task_training(training, task) for task in tasks}
    for number, sequence in enumerate(sequences, 1):
        for key in OF_THE_LEARNER:
            wanted = {repr(getattr(own[label], key)): label for label in reversed(sequence.tasks)}
            if len(wanted) > 1:
                asked = " and ".join(f"{label!r} sets {value}" for value, label in reversed(wanted.items()))
                yield f"sequence[{number}].tasks: all tasks share one learner and need one training.{key}, but {asked}"


def shown_key(key: str) -> str:
    """Return a key in a form that fits into a one-line message."""
    return key if key.isidentifier() and len(key) <= 60 else repr(key[:60])
