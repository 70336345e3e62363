"""Random shift in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Gt
from ftbench import InputAugmentation
from ftbench.tasks import Sound

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass
class TimeShift(InputAugmentation):
    """Shift a sound earlier or later: samples moved past an end are dropped, the other end is filled with silence."""

    modality: ClassVar[str] = "speech"

    seconds: Annotated[float, Gt(0)] = 0.1
    """Largest shift in either direction, in seconds; drawn uniformly."""

    def change(self, value: Sound, rng: Generator) -> Sound:
        """Shift by whole samples; the length does not change."""
        shift = round(float(rng.uniform(-self.seconds, self.seconds)) * value.rate)
        moved, length = np.zeros_like(value.samples), len(value.samples)
        if abs(shift) < length:
            moved[max(0, shift) : length + min(0, shift)] = value.samples[max(0, -shift) : length - max(0, shift)]
        return replace(value, samples=moved)
