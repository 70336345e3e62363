"""What every task on a user's own sounds shares: how they are read, and how they are compared."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from dataclasses import dataclass
from io import BytesIO
from math import gcd
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ftbench import Encoded, UserError
from ftbench.tasks import Augmentable, Inspectable, Inspected, Sound, list_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ftbench import Example
    from ftbench.tasks import Severity, Table
    from numpy.typing import NDArray

SILENT = 1e-3
"""Largest amplitude of what counts as silence; full scale is 1."""
FULL = 0.999
"""Amplitude from which on a sample is at the end of the scale."""
CLIPPED = 1e-3
"""Share of such samples from which on a sound is clipped."""
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


@dataclass
class OwnSounds(Augmentable, Inspectable):
    """A task on sounds of a folder or of a table of their paths."""

    modality: ClassVar[str] = "speech"
    unit: ClassVar[str] = "audio seconds"

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        "sound unreadable": ("error", "training will stop at it: replace or remove the file"),
        "sound silent": ("warning", "there is nothing to hear: replace or remove the file"),
        "sound clipped": ("warning", "its peaks are cut off: record more quietly, or remove the file"),
    }

    audio: str = "path"
    """Column of the sounds: their paths, or the sounds themselves in Parquet, a data set of the hub or one written by `save_to_disk`."""
    folder: str = ""
    """Where the paths of a table begin, seen from the table: `clips` for Common Voice; beside the table by default."""
    pattern: str = ""
    """What the names of a folder's files hold, such as `{label}_{speaker}_{take}`; each name becomes a column."""

    def inputs(self) -> tuple[str, ...]:
        """The sound."""
        return (self.audio,)

    def folder_files(self) -> tuple[str, ...]:
        """Give the endings of sounds."""
        return SUFFIXES

    def open_folder(self, folder: Path) -> Table:
        """List the sounds of a folder; the folder a sound lies in is its class, unless the pattern names one."""
        return list_files(folder, SUFFIXES, self.pattern)

    @abstractmethod
    def longest(self) -> float:
        """Give the length of what is encoded of a sound at most, in seconds."""

    def sound(self, cell: Any, rate: int) -> NDArray[np.float32]:
        """Decode a sound into one channel at `rate` samples a second, shape [samples].

        Raises:
            UserError: naming the file that is no sound, or has no sample.
        """
        import soundfile

        source, name = self.located(cell, self.folder)
        try:
            samples, own = soundfile.read(
                BytesIO(source) if isinstance(source, bytes) else source, dtype="float32", always_2d=True
            )
        except (soundfile.LibsndfileError, OSError) as error:
            raise UserError(f"{name}: cannot be read as a sound: {str(error).splitlines()[0]}") from None
        if not len(samples):
            raise UserError(f"{name}: holds no sound")
        return resampled(samples.mean(1), own, rate)

    def raw_inputs(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> list[Sound]:
        """Decode the sounds, whole, at the processor's rate."""
        return list(self._sounds(examples, processor))

    def _sounds(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> Iterator[Sound]:
        rate = int(processor.sampling_rate)
        return (Sound(self.sound(row[self.audio], rate), rate) for row in self.cells(examples))

    @abstractmethod
    def encode_inputs(
        self, inputs: Iterable[Sound], examples: Sequence[Example[tuple[str, int]]], processor: Any
    ) -> Encoded:
        """Turn sounds into arrays, taking one at a time."""

    def encode(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> Encoded:
        """Encode one sound after another: many long ones would not fit into memory before they are cut."""
        return self.encode_inputs(self._sounds(examples, processor), examples, processor)

    def inspect(self, inputs: Sequence[Mapping[str, Any]], processor: Any) -> list[Inspected]:
        """Compare sounds sample by sample, and without silence at the ends and loudness."""
        rate = int(processor.sampling_rate)
        return [self._inspected(row[self.audio], rate) for row in inputs]

    def _inspected(self, cell: Any, rate: int) -> Inspected:
        try:
            sound = self.sound(cell, rate)
        except UserError:
            return Inspected("", (), problems=("sound unreadable",))
        peak = float(np.abs(sound).max())
        problems = []
        if peak < SILENT:
            problems.append("sound silent")
        elif float((np.abs(sound) >= FULL).mean()) > CLIPPED:
            problems.append("sound clipped")
        heard = np.flatnonzero(np.abs(sound) > peak / 20)
        middle = sound[heard[0] : heard[-1] + 1] / peak if len(heard) and peak else sound
        near = _digest(np.round(middle * 16).astype(np.int8).tobytes())
        return Inspected(
            _digest(sound.tobytes()),
            (near,),
            problems=tuple(problems),
            cut_off=len(sound) > round(self.longest() * rate),
        )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def resampled(samples: NDArray[np.float32], own: int, rate: int) -> NDArray[np.float32]:
    """Change the rate of a sound, shape [samples], by a polyphase filter."""
    if own == rate:
        return samples
    from scipy.signal import resample_poly

    shared = gcd(own, rate)
    return np.asarray(resample_poly(samples, rate // shared, own // shared), np.float32)
