"""Additive noise at a given signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from ftbench import POOLED, InputAugmentation, OutputType, UserError
from ftbench.tasks import Sound

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class AudioNoise(InputAugmentation):
    """Add noise to a sound."""

    modality: ClassVar[str] = "speech"
    answers: ClassVar[frozenset[OutputType]] = POOLED | {"transcript"}

    snr: tuple[float, float] = (10.0, 30.0)
    """Smallest and largest signal-to-noise ratio in decibels, of mean powers over the whole sound; drawn uniformly."""
    colour: Literal["white", "pink"] = "white"
    """`white`: equal power per hertz. `pink`: equal power per octave."""

    def __post_init__(self) -> None:
        """Check the range.

        Raises:
            UserError: its start is above its end.
        """
        if self.snr[0] > self.snr[1]:
            raise UserError(f"snr: {self.snr[0]} is above {self.snr[1]}")

    def change(self, value: Sound, rng: np.random.Generator) -> Sound:
        """Add the noise; a completely silent sound stays silent."""
        decibels = rng.uniform(*self.snr)
        noise = _noise(len(value.samples), self.colour, rng)
        signal, own = (float(np.mean(np.square(wave, dtype=np.float64))) for wave in (value.samples, noise))
        if not signal or not own:
            return value
        factor = np.sqrt(signal / (own * 10.0 ** (decibels / 10.0)))
        return replace(value, samples=np.asarray(value.samples + factor * noise, np.float32))


def _noise(length: int, colour: str, rng: np.random.Generator) -> NDArray[np.float64]:
    white = rng.standard_normal(length)
    if colour == "white":
        return white
    spectrum = np.fft.rfft(white)
    # Power falls as 1/frequency, so amplitude falls as its square root; the mean is zero.
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    return np.fft.irfft(spectrum, length)
