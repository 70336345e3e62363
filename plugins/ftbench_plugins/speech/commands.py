"""Synthetic spoken commands: shipped dry clips, each rendered with a room and noise from a fixed seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from ftbench import Encoded, Example, Provenance, Splits
from ftbench.fingerprint import file_sha256
from ftbench.tasks import Augmentable, DrawnClassificationTask, Sound, draw

from .acoustics import SAMPLE_RATE, at_snr, coloured_noise, room_response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_CLIPS = Path(__file__).parent / "clips"
_ROOM_SEED = 20_261_121
_TAIL = int(0.25 * SAMPLE_RATE)


@dataclass
class SpokenCommands(Augmentable, DrawnClassificationTask):
    """Classify ten spoken commands: synthetic voices, one second, reverberant rooms; test voices are new."""

    modality: ClassVar[str] = "speech"
    unit: ClassVar[str] = "audio seconds"
    words: ClassVar[tuple[str, ...]] = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")

    validation_size: Annotated[int, Ge(0)] = 100
    """Number of validation clips, from the training voices."""
    test_size: Annotated[int, Ge(1)] = 400
    """Number of test clips, from the test voices."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def splits(self, seed: int) -> Splits[NDArray[np.float32]]:
        """Draw balanced splits: train and validation from 20 voices, test from 20 others."""
        known = draw(
            _recordings("train", self.words), {"validation": self.validation_size, "train": self.train_size}, seed
        )
        unknown = draw(_recordings("test", self.words), {"test": self.test_size}, seed)
        return Splits(**known, **unknown)

    def groups(self, ids: Sequence[str]) -> Sequence[str]:
        """Return the voices."""
        clips = json.loads((_CLIPS / "clips.json").read_text(encoding="utf-8"))
        places = (identity.rpartition("-") for identity in ids)
        return [clips[split][int(number)]["voice"] for split, _, number in places]

    def raw_inputs(self, examples: Sequence[Example[NDArray[np.float32]]], processor: Any) -> list[Sound]:
        """Return the recordings, one second each."""
        return [Sound(example.value, SAMPLE_RATE) for example in examples]

    def encode_inputs(
        self, inputs: Sequence[Sound], examples: Sequence[Example[NDArray[np.float32]]], processor: Any
    ) -> Encoded:
        """Extract features of one second with the backbone's processor; one second is one unit."""
        sounds = [sound.samples[:SAMPLE_RATE] for sound in inputs]
        features = processor(
            [np.pad(sound, (0, SAMPLE_RATE - len(sound))) for sound in sounds],
            sampling_rate=SAMPLE_RATE,
            return_tensors="np",
        )
        name = "input_values" if "input_values" in features else "input_features"
        return Encoded(
            columns={name: np.asarray(features[name], np.float32)},
            labels=np.array([example.label for example in examples]),
            ids=tuple(example.id for example in examples),
            units=np.array([len(sound) / SAMPLE_RATE for sound in sounds]),
        )

    def fingerprint(self) -> Mapping[str, Any]:
        """Return the hashes of the clips."""
        return {name: file_sha256(_CLIPS / name) for name in ("clips.json", "train.flac", "test.flac")}

    def provenance(self) -> Provenance:
        """Return the source, marked as synthetic."""
        source = (
            "this project, spoken by espeak-ng 1.52: ftbench_plugins.speech.provenance.commands; "
            "noise and room at load time"
        )
        return Provenance("CC0-1.0", source, "synthetic")


@dataclass
class CommandsA(SpokenCommands):
    """Classify the commands yes, no, up, down and left. Synthetic."""

    words: ClassVar[tuple[str, ...]] = ("yes", "no", "up", "down", "left")
    test_size: Annotated[int, Ge(1)] = 200
    """Number of test clips, from the test voices."""


@dataclass
class CommandsB(SpokenCommands):
    """Classify the commands right, on, off, stop and go. Synthetic."""

    words: ClassVar[tuple[str, ...]] = ("right", "on", "off", "stop", "go")
    test_size: Annotated[int, Ge(1)] = 200
    """Number of test clips, from the test voices."""


def _recordings(split: str, words: tuple[str, ...]) -> list[Example[NDArray[np.float32]]]:
    """Return the clips of some words, each at a random position in one second with its own room and noise."""
    import soundfile

    samples, _ = soundfile.read(_CLIPS / f"{split}.flac", dtype="float32")
    found = []
    for number, clip in enumerate(json.loads((_CLIPS / "clips.json").read_text(encoding="utf-8"))[split]):
        if clip["word"] in words:
            dry = samples[clip["start"] : clip["start"] + clip["length"]]
            rng = np.random.default_rng([_ROOM_SEED, split == "test", number])
            found.append(Example(f"{split}-{number}", _recorded(dry, rng), words.index(clip["word"])))
    return found


def _recorded(dry: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    from scipy.signal import fftconvolve

    wet = fftconvolve(dry, room_response(rng))[: len(dry) + _TAIL].astype(np.float32)
    wet = wet[:SAMPLE_RATE]
    window = np.zeros(SAMPLE_RATE, np.float32)
    place = int(rng.integers(0, SAMPLE_RATE - len(wet) + 1))
    window[place : place + len(wet)] = wet
    return at_snr(window, coloured_noise(rng, SAMPLE_RATE), float(rng.uniform(10.0, 30.0)))
