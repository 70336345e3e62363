"""Louder and softer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Gt
from ftbench import POOLED, InputAugmentation, OutputType
from ftbench.tasks import Sound

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass
class AudioGain(InputAugmentation):
    """Make a sound louder or softer; a feature extractor that normalises loudness, as most of Wav2Vec2's do, undoes it."""

    modality: ClassVar[str] = "speech"
    answers: ClassVar[frozenset[OutputType]] = POOLED | {"transcript"}

    decibels: Annotated[float, Gt(0)] = 6.0
    """Largest gain to either side; uniform between them."""

    def change(self, value: Sound, rng: Generator) -> Sound:
        """Multiply by 10^(gain / 20); nothing is clipped."""
        factor = 10.0 ** (rng.uniform(-self.decibels, self.decibels) / 20.0)
        return replace(value, samples=np.asarray(factor * value.samples, np.float32))
