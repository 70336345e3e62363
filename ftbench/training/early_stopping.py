"""Decide by validation scores: learning-rate drops, early stopping, best weights, pruning of tuning trials."""

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
    """Counts consecutive validations that did not improve on the best one by more than `least`.

    The rule is that of torch's ReduceLROnPlateau with an absolute threshold and its patience reduced by one.
    """

    def __init__(self, limit: int, least: float) -> None:
        self.limit, self.least = limit, least
        self.best = -math.inf
        self.waited = 0

    def update(self, value: float) -> bool:
        """Add a validation, higher is better; return whether the limit is reached, and start counting again if so."""
        if value > self.best + self.least:
            self.best, self.waited = value, 0
            return False
        self.waited += 1
        if self.waited < self.limit:
            return False
        self.waited = 0
        return True

    def state(self) -> tuple[float, int]:
        """Return the best value and the count."""
        return self.best, self.waited

    def load_state(self, state: tuple[float, int]) -> None:
        """Restore what `state` returned."""
        self.best, self.waited = state


class ValidationMonitor:
    """Follows the validations of one training by the metric that its protocol watches."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.factor = 1.0
        """Factor on the learning rate, in addition to the schedule's."""
        self.stops = False
        """Whether the training should stop."""
        self._active = goes_by_validation(training)
        self._plateau = Patience(training.patience, training.min_delta)
        self._stopping = Patience(training.early_stopping, training.min_delta)
        self._best = -math.inf

    def update(self, scores: Sequence[Measurement]) -> bool:
        """Add a validation; return whether the weights are the best so far and should be kept.

        Raises:
            UserError: the task has no such metric, or neither a higher nor a lower value of it is better.
        """
        if not self._active:
            return False
        value = watched(scores, self.training.watch)
        if self.training.schedule == "plateau" and self._plateau.update(value):
            self.factor *= self.training.step_factor
        if self.training.early_stopping and self._stopping.update(value):
            self.stops = True
        best = value > self._best
        self._best = value if best else self._best
        return best and self.training.keep == "best"

    def state(self) -> dict[str, Any]:
        """Return the state after all validations so far."""
        counts = (self._plateau.state(), self._stopping.state())
        return {"factor": self.factor, "stops": self.stops, "best": self._best, "counts": counts}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self.factor, self.stops, self._best = state["factor"], state["stops"], state["best"]
        for patience, counted in zip((self._plateau, self._stopping), state["counts"], strict=True):
            patience.load_state(counted)


def watched(scores: Sequence[Measurement], name: str) -> float:
    """Return a metric's value, negated if lower is better; NaN, which never counts as better, if it was not measured.

    Raises:
        UserError: there is no such metric, or neither a higher nor a lower value of it is better.
    """
    known = [m.name for m in scores if m.direction != "none"]
    found = next((m for m in scores if m.name == name), None)
    if found is None or found.direction == "none":
        raise UserError(
            f"training.watch: {name!r} is not a metric that can be watched; this task has {', '.join(known)}"
        )
    value = math.nan if found.value is None else found.value
    return value if found.direction == "higher" else -value


def should_prune(bars: Bars | None, primary: str, validations: Sequence[Mapping[str, float]]) -> str:
    """Compare a tuning trial with earlier ones at its last validation; return why to prune it, or an empty string."""
    if bars is None:
        return ""
    name, number = bars.metric or primary, len(validations)
    least, found = dict(bars.at).get(number), validations[-1].get(name)
    if least is None or found is None or (found <= least if bars.lower else found >= least):
        return ""
    bound = f"{least:.4g} or {'less' if bars.lower else 'more'}"
    return f"{name} {found:.4g} at validation {number}: earlier tuning trials that continued had {bound}"
