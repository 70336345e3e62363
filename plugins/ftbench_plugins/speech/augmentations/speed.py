"""Speed perturbation by resampling (Ko et al. 2015)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le, MinLen
from ftbench import POOLED, InputAugmentation, OutputType
from ftbench.tasks import Sound

if TYPE_CHECKING:
    from numpy.random import Generator

_FINEST = 100


@dataclass
class Speed(InputAugmentation):
    """Play a sound faster or slower, which also changes its pitch (Ko et al. 2015, Interspeech, section 2)."""

    modality: ClassVar[str] = "speech"
    answers: ClassVar[frozenset[OutputType]] = POOLED | {"transcript"}

    factors: Annotated[tuple[Annotated[float, Ge(0.5), Le(2)], ...], MinLen(1)] = (0.9, 1.0, 1.1)
    """Speeds to draw from; 1.1 is 10 % faster. Each is rounded to the nearest fraction with a denominator up to 100."""

    def change(self, value: Sound, rng: Generator) -> Sound:
        """Resample with a polyphase filter to samples / factor samples."""
        factor = Fraction(self.factors[int(rng.integers(len(self.factors)))]).limit_denominator(_FINEST)
        if factor == 1:
            return value
        from scipy.signal import resample_poly

        return replace(
            value, samples=np.asarray(resample_poly(value.samples, factor.denominator, factor.numerator), np.float32)
        )
