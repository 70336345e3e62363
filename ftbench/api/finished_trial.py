"""A finished trial, to be measured further: nothing that is done here changes what was scored."""

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
"""How many different examples, or batches of several, are answered again and again: enough to vary in length, few enough to hold."""


@dataclass(frozen=True)
class Step:
    """One optimizer step, handed to the device."""

    units: float
    """Real units in its batch: padding is not counted."""
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
        learner: the finished one.
        task: what it was taught last.
        tests: that task's test split.
        rehearse: prepares the strategy anew on the backbone, and hands the steps of its last training to what it is given.
        synchronise: waits for the device.
        account: accounts for the training.
    """

    def __init__(
        self,
        learner: Learner,
        task: Task,
        tests: Encoded,
        rehearse: Callable[[Take], None],
        synchronise: Callable[[], None],
        *,
        account: Callable[[], Accounting] = _unaccounted,
    ) -> None:
        self._learner, self._task, self._tests, self._rehearse = learner, task, tests, rehearse
        self.account = account
        """Accounts for the training in a phase of its own; the same for every seed. Raises `NotMeasured` where that cannot be done."""
        self.unit = task.unit
        """What throughput counts."""
        self.synchronise = synchronise
        """Waits for the device."""

    def answers(self, batch_size: int) -> Iterator[float]:
        """Answer batches of the test split with the finished model, without end; gives the real units of each.

        The batches are on the device before the first is answered; the device is not waited for.
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
        """Train a discarded copy as the trial did, its pretrained weights prepared anew.

        Args:
            take: is given the steps of the last training, without end, each made as it is asked for, the device not waited for;
                it is called anew for each training a strategy is made of.
        """
        self._rehearse(take)
