"""Shared base of tasks on user-provided sounds: reading and comparing them."""

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
"""Largest amplitude that counts as silence; full scale is 1."""
FULL = 0.999
"""Amplitude from which a sample counts as full scale."""
CLIPPED = 1e-3
"""Share of full-scale samples from which a sound counts as clipped."""
SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".mp3", ".oga", ".opus", ".spx", ".mp2", ".mpga", ".wave", ".bwf", ".rf64", ".w64"),
    *(".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".sph", ".nist", ".voc"),
)
"""File suffixes of sounds that libsndfile reads."""


@dataclass
class OwnSounds(Augmentable, Inspectable):
    """A task on the sounds of a folder, or of a table of paths."""

    modality: ClassVar[str] = "speech"
    unit: ClassVar[str] = "audio seconds"

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        "sound unreadable": ("error", "training will stop at it: replace or remove the file"),
        "sound with samples that are no numbers": ("error", "training would diverge: replace or remove the file"),
        "sound silent": ("warning", "there is nothing to hear: replace or remove the file"),
        "sound clipped": ("warning", "its peaks are cut off: record more quietly, or remove the file"),
    }

    audio: str = "path"
    """Column of the sounds: their paths; or the audio itself in Parquet, a Hub dataset or one written by
    `save_to_disk`."""
    folder: str = ""
    """Folder of the paths in a table, relative to it: `clips` for Common Voice; by default the table's folder."""
    pattern: str = ""
    """Pattern of a folder's file names, such as `{label}_{speaker}_{take}`; each name becomes a column."""

    def inputs(self) -> tuple[str, ...]:
        """The column of the sounds."""
        return (self.audio,)

    def folder_files(self) -> tuple[str, ...]:
        """Return the file suffixes of sounds."""
        return SUFFIXES

    def open_folder(self, folder: Path) -> Table:
        """List the sounds of a folder; the parent folder of a sound is its class, unless the pattern has a label."""
        return list_files(folder, SUFFIXES, self.pattern)

    @abstractmethod
    def longest(self) -> float:
        """Return the maximum length that is encoded of a sound, in seconds."""

    def sound(self, cell: Any, rate: int) -> NDArray[np.float32]:
        """Decode a sound into one channel at `rate` samples per second, shape [samples].

        Raises:
            UserError: the file is not a sound, or has no samples or ones that are not finite; the message names it.
        """
        samples, own, name = self._decoded(cell)
        broken = int((~np.isfinite(samples)).sum())
        if broken:
            raise UserError(f"{name}: {broken:,} of its samples are no finite numbers; replace or remove the file")
        return resampled(samples.mean(1), own, rate)

    def _decoded(self, cell: Any) -> tuple[NDArray[np.float32], int, str]:
        """Return the samples of a sound as they are in its file, [samples, channels], their rate, and its name.

        Raises:
            UserError: the file is not a sound or has no samples.
        """
        import soundfile

        source, name = self.located(cell, self.folder)
        try:
            samples, own = soundfile.read(
                BytesIO(source) if isinstance(source, bytes) else source, dtype="float32", always_2d=True
            )
        except Exception as error:  # noqa: BLE001 - decoders raise errors of any type on damaged files
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{name}: cannot be read as a sound: {reason}") from None
        if not len(samples):
            raise UserError(f"{name}: holds no sound")
        return samples, own, name

    def raw_inputs(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> list[Sound]:
        """Decode the sounds, uncut, at the processor's rate."""
        return list(self._sounds(examples, processor))

    def _sounds(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> Iterator[Sound]:
        rate = int(processor.sampling_rate)
        return (Sound(self.sound(row[self.audio], rate), rate) for row in self.cells(examples))

    @abstractmethod
    def encode_inputs(
        self, inputs: Iterable[Sound], examples: Sequence[Example[tuple[str, int]]], processor: Any
    ) -> Encoded:
        """Convert sounds to arrays, one at a time."""

    def encode(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> Encoded:
        """Encode one sound after another: uncut, many long ones would not fit into memory."""
        return self.encode_inputs(self._sounds(examples, processor), examples, processor)

    def inspect(self, inputs: Sequence[Mapping[str, Any]], processor: Any) -> list[Inspected]:
        """Compute digests of the samples, and of the sound without silence at the ends and loudness."""
        rate = int(processor.sampling_rate)
        return [self._inspected(row, rate) for row in inputs]

    def length_problems(self, row: Mapping[str, Any], samples: int) -> list[str]:
        """Return the problems of a row with so many samples that are encoded; by default none."""
        del row, samples
        return []

    def _inspected(self, row: Mapping[str, Any], rate: int) -> Inspected:
        try:
            samples, own, _ = self._decoded(row[self.audio])
        except UserError:
            return Inspected("", (), problems=("sound unreadable",))
        if not np.isfinite(samples).all():
            return Inspected("", (), problems=("sound with samples that are no numbers",))
        sound = resampled(samples.mean(1), own, rate)
        peak = float(np.abs(sound).max())
        longest = round(self.longest() * rate)
        problems = self.length_problems(row, min(len(sound), longest))
        if peak < SILENT:
            return Inspected("", (), problems=(*problems, "sound silent"))
        if float((np.abs(sound) >= FULL).mean()) > CLIPPED:
            problems.append("sound clipped")
        heard = np.flatnonzero(np.abs(sound) > peak / 20)
        middle = sound[heard[0] : heard[-1] + 1] / peak if len(heard) and peak else sound
        near = _digest(np.round(middle * 16).astype(np.int8).tobytes())
        return Inspected(
            _digest(sound.tobytes()),
            (near,),
            problems=tuple(problems),
            cut_off=len(sound) > longest,
        )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def resampled(samples: NDArray[np.float32], own: int, rate: int) -> NDArray[np.float32]:
    """Resample a sound, shape [samples], with a polyphase filter."""
    if own == rate:
        return samples
    from scipy.signal import resample_poly

    shared = gcd(own, rate)
    return np.asarray(resample_poly(samples, rate // shared, own // shared), np.float32)
