"""Minimal bindings for the espeak-ng library (wheel `espeakng-loader`): text to phonemes, text to samples."""

from __future__ import annotations

import ctypes
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import resample_poly

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE_RATE = 16_000
ACCENTS = tuple(
    f"gmw/{name}"
    for name in (
        "en-US",
        "en",
        "en-029",
        "en-GB-scotland",
        "en-GB-x-gbclan",
        "en-GB-x-gbcwmd",
        "en-GB-x-rp",
        "en-US-nyc",
    )
)

_SYNCHRONOUS = 2
_UTF8 = 1
_IPA = 2
_RATE, _PITCH, _RANGE = 1, 3, 4
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Synthesiser:
    """espeak-ng; use one instance per process, since the library keeps its state in globals."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = espeakng_loader.load_library()
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        data = espeakng_loader.get_data_path().encode()
        self._native_rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        self._chunks: list[NDArray[np.int16]] = []
        self._keep_alive = _CALLBACK(self._receive)
        self._library.espeak_SetSynthCallback(self._keep_alive)

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    def _select(self, accent: str, voice: str) -> None:
        name = f"{accent}+{voice}"
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            message = f"espeak-ng has no voice {name!r}"
            raise ValueError(message)

    def phonemes(self, word: str, accent: str) -> str:
        """Return the IPA letters of `word`, without stress, length and combining marks."""
        self._library.espeak_SetVoiceByName(accent.encode())
        text = ctypes.c_char_p(word.encode())
        spoken: bytes = self._library.espeak_TextToPhonemes(ctypes.byref(text), _UTF8, _IPA)
        return "".join(c for c in spoken.decode() if unicodedata.category(c) == "Ll")

    def say(self, word: str, accent: str, voice: str, *, rate: int, pitch: int, spread: int) -> NDArray[np.int16]:
        """Synthesise `word`.

        Args:
            word: the text.
            accent: one of `ACCENTS`.
            voice: an espeak-ng voice variant, such as `f2`.
            rate: words per minute.
            pitch: base pitch, 0 to 99.
            spread: pitch range, 0 to 99.

        Returns:
            16 kHz samples, silence trimmed at both ends, the peak at 0.9 of full scale; shape [samples].
        """
        self._select(accent, voice)
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, spread)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._chunks.clear()
        text = word.encode()
        self._library.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return _trimmed(np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16), self._native_rate)


def _trimmed(samples: NDArray[np.int16], native_rate: int) -> NDArray[np.int16]:
    divisor = int(np.gcd(SAMPLE_RATE, native_rate))
    sound = resample_poly(samples.astype(np.float64), SAMPLE_RATE // divisor, native_rate // divisor)
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max(initial=1.0))
    if loud.size == 0:
        return np.zeros(0, np.int16)
    sound = sound[loud[0] : loud[-1] + 1]
    return np.asarray(np.rint(sound / np.abs(sound).max() * 0.9 * 32767), np.int16)
