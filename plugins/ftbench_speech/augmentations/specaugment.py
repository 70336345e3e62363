"""SpecAugment: stretches of time and bands of frequency are hidden (Park et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le
from ftbench import POOLED, FeatureAugmentation, OutputType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.random import Generator
    from numpy.typing import NDArray

MELS_FIRST = "input_features"
"""Spectrograms of shape [mels, frames], as Whisper's; `input_values` of two axes are [frames, mels], as AST's."""
WAVE = "input_values"


@dataclass
class SpecAugment(FeatureAugmentation):
    """Hide stretches of time and bands of frequency, without the paper's time warping (Park et al. 2019, arXiv:1904.08779).

    In a spectrogram they become the mean of the example. Of a waveform, which has no bands, stretches become its mean and bands
    of the mel scale are left out of its Fourier transform. What is constant at the end is taken for filling, and not counted.
    """

    modality: ClassVar[str] = "speech"
    answers: ClassVar[frozenset[OutputType]] = POOLED | {"transcript"}

    time_masks: Annotated[int, Ge(0)] = 2
    """Stretches of time; the paper's m_T."""
    time_width: Annotated[float, Gt(0), Le(1)] = 0.2
    """Longest stretch, as a share of the sound; the paper's p, with T without limit."""
    frequency_masks: Annotated[int, Ge(0)] = 2
    """Bands of frequency; the paper's m_F."""
    frequency_width: Annotated[float, Gt(0), Le(1)] = 0.3
    """Widest band, as a share of the mel scale; the paper's F over ν, which is 27 of 80."""
    rate: Annotated[int, Ge(1)] = 16_000
    """Samples a second of a waveform model, which places the bands; spectrograms do not need it."""

    def change_features(self, features: Mapping[str, NDArray[Any]], rng: Generator) -> Mapping[str, NDArray[Any]]:
        """Mask the example's spectrogram, or its waveform."""
        name = MELS_FIRST if MELS_FIRST in features else WAVE
        values = features[name]
        if values.ndim == 1:
            return {**features, name: self._masked_wave(values, rng)}
        spectrogram = values if name == MELS_FIRST else values.T
        masked = self._masked(spectrogram, rng)
        return {**features, name: masked if name == MELS_FIRST else np.ascontiguousarray(masked.T)}

    def _masked(self, spectrogram: NDArray[Any], rng: Generator) -> NDArray[Any]:
        """Mask a spectrogram, [mels, frames]."""
        length = heard(spectrogram)
        masked, mean = spectrogram.copy(), spectrogram[:, :length].mean()
        for _ in range(self.time_masks):
            begin, end = stretch(length, self.time_width, rng)
            masked[:, begin:end] = mean
        for _ in range(self.frequency_masks):
            begin, end = stretch(len(spectrogram), self.frequency_width, rng)
            masked[begin:end, :length] = mean
        return masked

    def _masked_wave(self, wave: NDArray[Any], rng: Generator) -> NDArray[Any]:
        """Mask a waveform, [samples]."""
        length = heard(wave[None])
        masked, mean = wave.copy(), wave[:length].mean()
        for _ in range(self.time_masks):
            begin, end = stretch(length, self.time_width, rng)
            masked[begin:end] = mean
        if self.frequency_masks:
            spectrum = np.fft.rfft(masked[:length] - mean)
            mels = _mel(np.fft.rfftfreq(length, 1 / self.rate))
            for _ in range(self.frequency_masks):
                width = rng.uniform(0, self.frequency_width) * mels[-1]
                begin = rng.uniform(0, mels[-1] - width)
                spectrum[(mels >= begin) & (mels < begin + width)] = 0
            masked[:length] = np.fft.irfft(spectrum, length) + mean
        return masked


def stretch(whole: int, share: float, rng: Generator) -> tuple[int, int]:
    """Draw where a mask begins and ends: its width uniform from 0 to share·whole, its place uniform."""
    width = int(rng.integers(int(share * whole) + 1))
    begin = int(rng.integers(whole - width + 1))
    return begin, begin + width


def heard(columns: NDArray[Any]) -> int:
    """Count the columns before those at the end that are all alike; [rows, columns]. One alone is no filling."""
    different = np.flatnonzero((columns[:, :-1] != columns[:, -1:]).any(0))
    if not len(different) or different[-1] == columns.shape[1] - 2:
        return int(columns.shape[1])
    return int(different[-1]) + 1


def _mel(hertz: NDArray[Any]) -> NDArray[np.float64]:
    """Give the pitch in mel (O'Shaughnessy 1987)."""
    return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0))
