"""A finished trial, for further measurements; none of them changes the scores."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from ..errors import NotMeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .encoded import Encoded
    from .footprint import Accounting
    from .learner import Learner
    from .task import Task

    Take = Callable[[Iterator["Step"]], None]

EXAMPLES, BATCHES = 64, 8
"""Number of distinct examples, or of larger batches, that are cycled through: enough to vary in length, few enough
to keep on the device."""


@dataclass(frozen=True)
class Step:
    """One optimizer step, handed to the device."""

    units: float
    """Real units in its batch, without padding."""
    padded: float
    """Units of the padded batch."""
    waiting: float
    """Seconds spent making the batch."""


def _unaccounted() -> Accounting:
    message = "nobody accounts for what was trained here"
    raise NotMeasured(message)


class FinishedTrial:
    """What a meter may examine after scoring.

    Args:
        learner: the trained learner.
        task: the last task it learnt.
        tests: that task's test split.
        repeat: prepares the strategy on the backbone again and passes the steps of its last training to a function.
        synchronise: waits for the device.
        account: counts the training's FLOPs and bytes.
    """

    def __init__(
        self,
        learner: Learner,
        task: Task,
        tests: Encoded,
        repeat: Callable[[Take], None],
        synchronise: Callable[[], None],
        *,
        account: Callable[[], Accounting] = _unaccounted,
    ) -> None:
        self._learner, self._task, self._tests, self._repeat = learner, task, tests, repeat
        self.account = account
        """Accounts for the training in a phase of its own, equal for every seed; raises `NotMeasured` if it cannot."""
        self.unit = task.unit
        """What throughput counts."""
        self.synchronise = synchronise
        """Waits for the device."""

    def answers(self, batch_size: int) -> Iterator[float]:
        """Run the trained model on batches of the test split in an endless loop; yield the real units of each.

        All batches are on the device before the first one runs; the device is not synchronised.
        """
        import torch

        learner, task, tests = self._learner, self._task, self._tests
        count = min(max(BATCHES, EXAMPLES // batch_size), -(-len(tests) // batch_size))
        chosen = np.linspace(0, len(tests), count * batch_size, endpoint=False).astype(int).reshape(count, batch_size)
        batches = []
        for rows in chosen:
            batch = {name: tensor.to(learner.device) for name, tensor in task.collate(tests, rows.tolist()).items()}
            batches.append((batch, float(tests.units_of(rows).sum())))
        learner.eval()
        for batch, units in cycle(batches):
            with torch.inference_mode():
                learner.forward(batch)
            yield units

    def train(self, take: Take) -> None:
        """Train a discarded copy as the trial did, prepared again from the pretrained weights.

        Args:
            take: receives an endless iterator over the steps of the last training, each run on demand without
                synchronising the device; called once for each training that a strategy consists of.
        """
        self._repeat(take)
