"""Earlier and later."""

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
    """Let a sound begin earlier or later: what is moved beyond an end is lost, and silence follows at the other."""

    modality: ClassVar[str] = "speech"

    seconds: Annotated[float, Gt(0)] = 0.1
    """Largest shift to either side; uniform between them."""

    def change(self, value: Sound, rng: Generator) -> Sound:
        """Shift by whole samples; the length stays."""
        shift = round(float(rng.uniform(-self.seconds, self.seconds)) * value.rate)
        moved, length = np.zeros_like(value.samples), len(value.samples)
        if abs(shift) < length:
            moved[max(0, shift) : length + min(0, shift)] = value.samples[max(0, -shift) : length - max(0, shift)]
        return replace(value, samples=moved)
