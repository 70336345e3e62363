"""Compute scales and ticks of a chart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Scale:
    """Map values to positions on the page, linearly or logarithmically."""

    low: float
    high: float
    start: float
    """Position of `low`."""
    end: float
    """Position of `high`."""
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, *, log: bool = False) -> Scale:
        """Cover `values` with a margin; one value alone gets room around it."""
        low, high = min(values), max(values)
        if log and low > 0:
            spread = max(math.log10(high / low), 0.3) * 0.08
            return cls(low * 10**-spread, high * 10**spread, start, end, log=True)
        margin = (high - low) * 0.08 or max(abs(high) * 0.1, 0.01)
        return cls(low - margin, high + margin, start, end)

    def place(self, value: float) -> float:
        """Return the position of a value, clipped at the ends."""
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, count: int = 4, step_unit: float = 1) -> list[float]:
        """Return round values inside the scale, multiples of `step_unit`."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            decades = [10.0**e for e in range(first, last + 1)]
            if len(decades) >= 2:
                return decades[:: max(1, len(decades) // count)]
            candidates = [m * 10.0**e for e in range(first - 1, last + 2) for m in (1, 2, 5)]
            return [value for value in candidates if self.low <= value <= self.high]
        step = _round_step((self.high - self.low) / count / step_unit) * step_unit
        begin = math.ceil(self.low / step)
        return [round(number * step, 10) for number in range(begin, math.floor(self.high / step) + 1)]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough)
