"""What the values of a suite must be to each other: a line for each mistake."""

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

_METRIC = re.compile(r"[a-z][a-z0-9_]*")


def table_mistakes(tables: Mapping[str, Any]) -> Iterator[str]:
    """Look at the tables of a suite, by name; None stands for one that could not be read."""
    training, limits, machine, measure, gate = (
        tables[name] for name in ("training", "limits", "machine", "measure", "gate")
    )
    if training is not None:
        yield from training_mistakes(training, "training")
    if limits is not None:
        yield from _of_limits(limits)
    if machine is not None:
        yield from _of_checkpoint(machine)
        if measure is not None:
            yield from _of_workers(machine, measure)
    if gate is not None:
        yield from _of_gate(gate)


def training_mistakes(training: Training, place: str) -> Iterator[str]:
    """Look at a protocol: the suite's or a task's own.

    Args:
        training: the protocol, whole.
        place: where it stands in the file.
    """
    if (training.epochs is None) == (training.steps is None):
        yield f"{place}: give either epochs or steps"
    if training.batch_size % training.accumulation:
        yield f"{place}.accumulation: must divide batch_size {training.batch_size}"
    # What could happen at the last validation only has nothing left that it could change.
    needed = {}
    if training.schedule == "plateau":
        needed[f"schedule 'plateau' with patience {training.patience}"] = training.patience + 2
    if training.early_stopping:
        needed[f"early_stopping = {training.early_stopping}"] = training.early_stopping + 2
    if training.keep == "best":
        needed["keep = 'best'"] = 2
    for what, least in needed.items():
        if training.validations < least:
            yield f"{place}.validations: {what} needs {least} or more to change anything, got {training.validations}"


def _of_limits(limits: Limits) -> Iterator[str]:
    for name in ("trial", "no_progress"):
        if not seconds(getattr(limits, name)) > 0:
            yield f"limits.{name}: must be a duration such as '90s', '30m' or '2h'"


def _of_checkpoint(machine: Machine) -> Iterator[str]:
    if machine.checkpoint != "never" and not seconds(machine.checkpoint) >= 0:
        yield "machine.checkpoint: must be a duration such as '10m', or 'never'"


def _of_workers(machine: Machine, measure: Measure) -> Iterator[str]:
    if machine.workers == 1:
        return
    if not measure.quality_only:
        what = f"{machine.workers} trials side by side disturb what is measured of each other"
        yield f"machine.workers: {what}; say measure.quality_only = true, or leave it at 1"
    if machine.device == "cuda":
        yield "machine.workers: trials run side by side on a CPU; with GPUs there is one on each"


def _of_gate(gate: Gate) -> Iterator[str]:
    if any(a >= b for a, b in itertools.pairwise(gate.looks)):
        yield "gate.looks: each must be more than the one before, such as [3, 6, 10]"


def margin_mistakes(statistics: Statistics, targets: Sequence[str]) -> Iterator[str]:
    """Look for margins of what cannot be there; which scores there are is known when they are measured."""
    for name in statistics.margins:
        target, _, metric = name.rpartition("/")
        wanted = target or metric
        if wanted not in targets and (target or not _METRIC.fullmatch(metric)):
            known = f"no task or sequence is called {wanted!r}{suggestion(wanted, targets)}"
            yield f"statistics.margins.{shown_key(name)}: {known}; give a score, a label, or 'label/score'"


def sequence_mistakes(
    training: Training, tasks: Sequence[TaskChoice], sequences: Sequence[SequenceChoice]
) -> Iterator[str]:
    """Look for tasks whose own protocols would want one learner to be two."""
    own = {task.label: task_training(training, task) for task in tasks}
    for number, sequence in enumerate(sequences, 1):
        for key in OF_THE_LEARNER:
            wanted = {repr(getattr(own[label], key)): label for label in reversed(sequence.tasks)}
            if len(wanted) > 1:
                asked = " and ".join(f"{label!r} asks for {value}" for value, label in reversed(wanted.items()))
                yield f"sequence[{number}].tasks: one learner has one training.{key}, and {asked}"


def shown_key(key: str) -> str:
    """Write a key so that a line can hold it."""
    return key if key.isidentifier() and len(key) <= 60 else repr(key[:60])
