"""Whether a trial finds the data and the weights it was planned with: they are its identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Changed

if TYPE_CHECKING:
    from ..api.backbone import Backbone
    from ..api.task import Task
    from ..suite.trial import Part


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
