"""What the validations of one training decide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .measurement import Measurement
    from .suite import Training


class Patience:
    """Counts the validations in a row that were not better, by more than `least`, than the best before.

    The rule is that of torch's ReduceLROnPlateau with an absolute threshold and one less of patience.
    """

    def __init__(self, limit: int, least: float) -> None:
        self.limit, self.least = limit, least
        self.best = -math.inf
        self.waited = 0

    def is_over(self, value: float) -> bool:
        """Take in a validation, higher being better; tells whether the limit is reached, and counts anew then."""
        if value > self.best + self.least:
            self.best, self.waited = value, 0
            return False
        self.waited += 1
        if self.waited < self.limit:
            return False
        self.waited = 0
        return True


class Judge:
    """Follows the validations of one training by the metric its protocol watches."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.factor = 1.0
        """On the learning rate, beside the schedule's."""
        self._plateau = Patience(training.patience, training.min_delta)

    def see(self, scores: Sequence[Measurement]) -> None:
        """Take in a validation.

        Raises:
            UserError: the task gives no such metric, or one of which neither more nor less is better.
        """
        if self.training.schedule == "plateau" and self._plateau.is_over(watched(scores, self.training.watch)):
            self.factor *= self.training.step_factor


def watched(scores: Sequence[Measurement], name: str) -> float:
    """Give a metric so that more is better; no number, which is better than nothing, where it could not be measured.

    Raises:
        UserError: there is no such metric, or neither more nor less of it is better.
    """
    known = [m.name for m in scores if m.direction != "none"]
    found = next((m for m in scores if m.name == name), None)
    if found is None or found.direction == "none":
        raise UserError(f"training.watch: {name!r} is no metric that could be watched; this task gives {', '.join(known)}")
    value = math.nan if found.value is None else found.value
    return value if found.direction == "higher" else -value
