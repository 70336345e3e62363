"""What a trial tells the runner while it is under way: how far its training is, and that it is alive."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

Emit = Callable[[Mapping[str, Any]], None]
"""Receives events, each a JSON value."""
STEP_EVERY, SIGN_EVERY = 0.25, 1.0
"""Seconds between two events at least."""


class Signs:
    """The steps of all stages, counted together; no more events than somebody would look at."""

    def __init__(self, emit: Emit) -> None:
        self._emit, self._last = emit, 0.0
        self.steps: list[int] = []
        """Steps of each stage; to be set before the first."""

    def step(self, stage: int, step: int, losses: list[float]) -> None:
        """Tell of a step of a stage, the last one of it always."""
        now = time.monotonic()
        if losses and (now - self._last > STEP_EVERY or step == self.steps[stage]):
            self._last = now
            self._emit({"event": "step", "step": sum(self.steps[:stage]) + step, "steps": sum(self.steps), "loss": losses[-1]})

    def end(self, stage: int, made: int, losses: list[float]) -> None:
        """Leave the steps of a stage that stopped early out of those still to come."""
        self.steps[stage] = made
        self.step(stage, made, losses)

    def working(self) -> None:
        """Tell that work beside the training goes on: time without a sign is limited."""
        now = time.monotonic()
        if now - self._last > SIGN_EVERY:
            self._last = now
            self._emit({"event": "working"})
