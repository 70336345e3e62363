"""SpecAugment: mask stretches of time and bands of frequency (Park et al. 2019)."""

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
"""Spectrograms of shape [mels, frames], like Whisper's; `input_values` with two axes are [frames, mels], like AST's."""
WAVE = "input_values"


@dataclass
class SpecAugment(FeatureAugmentation):
    """Mask stretches of time and bands of frequency (Park et al. 2019, arXiv:1904.08779); there is no time warping.

    In a spectrogram, masked parts are set to the example's mean. A waveform has no bands: stretches are set to its
    mean, and bands of the mel scale are removed from its Fourier transform. A constant end counts as padding and is
    ignored.
    """

    modality: ClassVar[str] = "speech"
    answers: ClassVar[frozenset[OutputType]] = POOLED | {"transcript"}

    time_masks: Annotated[int, Ge(0)] = 2
    """Number of time masks; the paper's m_T."""
    time_width: Annotated[float, Gt(0), Le(1)] = 0.2
    """Longest time mask, as a share of the sound; the paper's p, with T unlimited."""
    frequency_masks: Annotated[int, Ge(0)] = 2
    """Number of frequency masks; the paper's m_F."""
    frequency_width: Annotated[float, Gt(0), Le(1)] = 0.3
    """Widest frequency mask, as a share of the mel scale; the paper's F over ν, which is 27 of 80."""
    rate: Annotated[int, Ge(1)] = 16_000
    """Samples per second of a waveform model, needed to place the bands; spectrograms do not use it."""

    def change_features(self, features: Mapping[str, NDArray[Any]], rng: Generator) -> Mapping[str, NDArray[Any]]:
        """Mask the example's spectrogram or waveform."""
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
    """Draw the begin and end of a mask: width uniform from 0 to share·whole, position uniform."""
    width = int(rng.integers(int(share * whole) + 1))
    begin = int(rng.integers(whole - width + 1))
    return begin, begin + width


def heard(columns: NDArray[Any]) -> int:
    """Count the columns before the padding, a run of equal columns at the end; shape [rows, columns].

    A single last column is not padding.
    """
    different = np.flatnonzero((columns[:, :-1] != columns[:, -1:]).any(0))
    if not len(different) or different[-1] == columns.shape[1] - 2:
        return int(columns.shape[1])
    return int(different[-1]) + 1


def _mel(hertz: NDArray[Any]) -> NDArray[np.float64]:
    """Convert hertz to mel (O'Shaughnessy 1987)."""
    return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0))
