"""Random gain."""

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
    """Make a sound louder or softer.

    A feature extractor that normalises loudness, like most of Wav2Vec2's, undoes it.
    """

    modality: ClassVar[str] = "speech"
    answers: ClassVar[frozenset[OutputType]] = POOLED | {"transcript"}

    decibels: Annotated[float, Gt(0)] = 6.0
    """Largest gain or attenuation, in decibels; drawn uniformly up to it."""

    def change(self, value: Sound, rng: Generator) -> Sound:
        """Multiply by 10^(gain / 20), without clipping."""
        factor = 10.0 ** (rng.uniform(-self.decibels, self.decibels) / 20.0)
        return replace(value, samples=np.asarray(factor * value.samples, np.float32))
