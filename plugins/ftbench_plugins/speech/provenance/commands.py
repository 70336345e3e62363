"""Make the dry clips of the spoken commands: `python -m ftbench_plugins.speech.provenance.commands OUTPUT_DIRECTORY`.

Ten words; 20 voices for train and validation, 20 other voices for test; each word twice per voice. The clips of a split
are concatenated in one FLAC file; `clips.json` has their positions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import soundfile

from .synthesiser import ACCENTS, SAMPLE_RATE, Synthesiser
from .voices import COMMANDS, TEST_VOICES, TRAINING_VOICES, delivery

LONGEST = int(0.7 * SAMPLE_RATE)
RENDITIONS = 2


def make(output: Path) -> None:
    """Write `train.flac`, `test.flac` and `clips.json` to `output`."""
    output.mkdir(parents=True, exist_ok=True)
    synthesiser = Synthesiser()
    index = {}
    for split, voices, seed in (("train", TRAINING_VOICES, 101), ("test", TEST_VOICES, 202)):
        rng = np.random.default_rng(seed)
        sounds, entries, start = [], [], 0
        for voice in voices:
            for word in COMMANDS:
                for _ in range(RENDITIONS):
                    accent = str(rng.choice(ACCENTS))
                    sound = synthesiser.say(word, accent, voice, **delivery(rng))[:LONGEST]
                    entries.append(
                        {"word": word, "voice": voice, "accent": accent, "start": start, "length": len(sound)}
                    )
                    sounds.append(sound)
                    start += len(sound)
        soundfile.write(output / f"{split}.flac", np.concatenate(sounds), SAMPLE_RATE, "PCM_16", compression_level=1.0)
        index[split] = entries
    (output / "clips.json").write_text(json.dumps(index, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
