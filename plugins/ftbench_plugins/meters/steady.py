"""Find when a training has settled, and measure its rate: skip the warm-up, then take windows of steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WARM_UP_STEPS = 10
WARM_UP_SECONDS = 5.0
AGREEING_WINDOWS = 3
"""Windows in a row that must agree before any is counted …"""
AGREEMENT = 0.03
"""… within this share of their median …"""
LONGEST_WARM_UP = 60.0
"""… or until this many seconds have passed."""
WINDOW_STEPS = 20
WINDOW_SECONDS = 2.0
WINDOWS = 5


@dataclass(frozen=True)
class Stretch:
    """Steps between two synchronisations with the device."""

    steps: int = 0
    seconds: float = 0.0
    units: float = 0.0
    """Real units: padding is not counted."""
    padded: float = 0.0
    """Units including padding."""
    waiting: float = 0.0
    """Seconds spent making batches."""

    def __add__(self, other: Stretch) -> Stretch:
        return Stretch(
            self.steps + other.steps,
            self.seconds + other.seconds,
            self.units + other.units,
            self.padded + other.padded,
            self.waiting + other.waiting,
        )

    @property
    def rate(self) -> float:
        """Real units per second."""
        return self.units / self.seconds


class SteadyState:
    """Collects consecutive stretches until enough steady windows were seen."""

    def __init__(self) -> None:
        self.windows: list[Stretch] = []
        """The windows that count."""
        self.seconds = 0.0
        """Since the beginning."""
        self.never_steady = False
        """Whether consecutive windows never agreed before `LONGEST_WARM_UP`."""
        self._warm_up = Stretch()
        self._settling: list[Stretch] = []
        self._steady = False
        self._open = Stretch()

    @property
    def enough(self) -> bool:
        """Whether there are enough windows for a measurement."""
        return len(self.windows) >= WINDOWS

    def feed(self, stretch: Stretch) -> None:
        """Add the next stretch."""
        self.seconds += stretch.seconds
        if self._warm_up.steps < WARM_UP_STEPS or self._warm_up.seconds < WARM_UP_SECONDS:
            self._warm_up += stretch
            return
        self._open += stretch
        if self._open.steps < WINDOW_STEPS or self._open.seconds < WINDOW_SECONDS:
            return
        window, self._open = self._open, Stretch()
        if self._steady:
            self.windows.append(window)
            return
        self._settling.append(window)
        self._steady = agree(self._settling[-AGREEING_WINDOWS:])
        if not self._steady and len(self._settling) >= AGREEING_WINDOWS and self.seconds >= LONGEST_WARM_UP:
            self._steady = self.never_steady = True


def agree(windows: list[Stretch]) -> bool:
    """Return whether there are enough windows and their rates are close together."""
    rates = [window.rate for window in windows]
    return len(rates) >= AGREEING_WINDOWS and max(rates) - min(rates) < AGREEMENT * float(np.median(rates))
