"""What the validations of one training decide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..api.protocol import goes_by_validation
from ..errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..api.measurement import Measurement
    from ..api.protocol import Training
    from ..suite.trial import Bars


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

    def state(self) -> tuple[float, int]:
        """Give what it has counted."""
        return self.best, self.waited

    def load_state(self, state: tuple[float, int]) -> None:
        """Go on from what `state` gave."""
        self.best, self.waited = state


class Judge:
    """Follows the validations of one training by the metric its protocol watches."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.factor = 1.0
        """On the learning rate, beside the schedule's."""
        self.stops = False
        """Whether training is to stop."""
        self._judges = goes_by_validation(training)
        self._plateau = Patience(training.patience, training.min_delta)
        self._stopping = Patience(training.early_stopping, training.min_delta)
        self._best = -math.inf

    def see(self, scores: Sequence[Measurement]) -> bool:
        """Take in a validation; tells whether the weights are the best so far, and to be kept.

        Raises:
            UserError: the task gives no such metric, or one of which neither more nor less is better.
        """
        if not self._judges:
            return False
        value = watched(scores, self.training.watch)
        if self.training.schedule == "plateau" and self._plateau.is_over(value):
            self.factor *= self.training.step_factor
        if self.training.early_stopping and self._stopping.is_over(value):
            self.stops = True
        best = value > self._best
        self._best = value if best else self._best
        return best and self.training.keep == "best"

    def state(self) -> dict[str, Any]:
        """Give what all validations so far have come to."""
        counts = (self._plateau.state(), self._stopping.state())
        return {"factor": self.factor, "stops": self.stops, "best": self._best, "counts": counts}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.factor, self.stops, self._best = state["factor"], state["stops"], state["best"]
        for patience, counted in zip((self._plateau, self._stopping), state["counts"], strict=True):
            patience.load_state(counted)


def watched(scores: Sequence[Measurement], name: str) -> float:
    """Give a metric so that more is better; no number, which is better than nothing, where it could not be measured.

    Raises:
        UserError: there is no such metric, or neither more nor less of it is better.
    """
    known = [m.name for m in scores if m.direction != "none"]
    found = next((m for m in scores if m.name == name), None)
    if found is None or found.direction == "none":
        raise UserError(
            f"training.watch: {name!r} is no metric that could be watched; this task gives {', '.join(known)}"
        )
    value = math.nan if found.value is None else found.value
    return value if found.direction == "higher" else -value


def should_prune(bars: Bars | None, primary: str, validations: Sequence[Mapping[str, float]]) -> str:
    """Hold a try to what earlier ones had at its last validation; gives why it is not worth going on with, or nothing."""
    if bars is None:
        return ""
    name, number = bars.metric or primary, len(validations)
    least, found = dict(bars.at).get(number), validations[-1].get(name)
    if least is None or found is None or (found <= least if bars.lower else found >= least):
        return ""
    return f"{name} {found:.4g} at validation {number}: earlier tries that went on had {least:.4g} or {'less' if bars.lower else 'more'}"
