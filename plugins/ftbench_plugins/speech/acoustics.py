"""Simulate rooms and noise: turn dry clips into recordings, from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE_RATE = 16_000


def coloured_noise(rng: np.random.Generator, length: int) -> NDArray[np.float32]:
    """Draw first-order autoregressive noise of unit variance; its colour (0 to 0.95) is also random; shape [length]."""
    from scipy.signal import lfilter

    memory = rng.uniform(0.0, 0.95)
    noise = lfilter([1.0], [1.0, -memory], rng.standard_normal(length))
    return np.asarray(noise / noise.std(), np.float32)


def room_response(rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw a room impulse response: the direct sound, then after 2 ms an exponentially decaying tail of white noise.

    The reverberation time (60 dB) is uniform in 0.25 to 0.6 s, the tail's energy 0 to 6 dB below the direct sound.

    Returns:
        An impulse response of 0.6 s, shape [samples].
    """
    reverberation = rng.uniform(0.25, 0.6)
    time = np.arange(int(0.6 * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(time.size) * 10.0 ** (-3.0 * time / reverberation)
    tail[time < 0.002] = 0.0
    tail *= np.sqrt(10.0 ** (-rng.uniform(0.0, 6.0) / 10.0) / np.square(tail).sum())
    tail[0] = 1.0
    return tail.astype(np.float32)


def at_snr(signal: NDArray[np.float32], noise: NDArray[np.float32], decibels: float) -> NDArray[np.float32]:
    """Add `noise` (unit variance) to `signal` at a signal-to-noise ratio measured where the signal is not silent."""
    sounding = signal[np.abs(signal) > 1e-4]
    power = float(np.mean(np.square(sounding))) if sounding.size else 1.0
    return np.asarray(signal + noise * np.sqrt(power / 10.0 ** (decibels / 10.0)), np.float32)
