"""A task made to follow the protocol it is trained by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..api.protocol import goes_by_validation
from ..api.task_kinds import ClassificationTask
from ..errors import Changed, NotApplicable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..api.backbone import Backbone
    from ..api.encoded import Encoded
    from ..api.protocol import Training
    from ..api.task import Task
    from ..suite.trial import Part


def follow(task: Task, training: Training, data: Mapping[str, Encoded], scored: str = "test") -> None:
    """Let the task's loss follow the protocol.

    Raises:
        NotApplicable: the protocol asks for what only a classification has, or for a validation split where there is none.
    """
    if scored not in data:
        raise NotApplicable(f"values are chosen on a {scored} split, and the task has none")
    if goes_by_validation(training) and "validation" not in data:
        raise NotApplicable(
            "plateau, early stopping and the best weights go by a validation split, and the task has none"
        )
    if isinstance(task, ClassificationTask):
        task.train_as(training, np.asarray(data["train"].labels))
    elif training.label_smoothing or training.class_weights != "none":
        raise NotApplicable("label smoothing and class weights are for classifications")


def verify(part: Part, built: Backbone | Task) -> None:
    """Compare a part of a trial with what lies there now.

    Raises:
        Changed: something was changed since the trial was planned.
    """
    now = dict(built.fingerprint())
    # A plan may know more of a task than the task itself, such as the files of its augmentations.
    different = sorted(key for key, value in now.items() if part.fingerprint.get(key) != value)
    if different:
        raise Changed(
            f"{part.label}: changed since the trial was planned ({', '.join(different)}); "
            "the same command again plans trials of what is there now"
        )
