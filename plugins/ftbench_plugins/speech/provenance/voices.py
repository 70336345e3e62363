"""Assign espeak-ng voices to splits: the voices of the commands' test split are used nowhere else."""

from __future__ import annotations

import numpy as np

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")

# Variants that sound like a person; without robots, whispers and jokes.
VARIANTS = (
    "Alex",
    "Alicia",
    "Andrea",
    "Andy",
    "Annie",
    "Denis",
    "Diogo",
    "Gene",
    "Gene2",
    "Henrique",
    "Hugo",
    "Jacky",
    "Lee",
    "Marco",
    "Mario",
    "Michael",
    "Mike",
    "Mr serious",
    "Nguyen",
    "Reed",
    "RicishayMax",
    "RicishayMax2",
    "RicishayMax3",
    "Storm",
    "adam",
    "anika",
    "announcer",
    "antonio",
    "aunty",
    "belinda",
    "benjamin",
    "boris",
    "caleb",
    "david",
    "ed",
    "edward",
    "edward2",
    "f1",
    "f2",
    "f3",
    "f4",
    "f5",
    "grandma",
    "grandpa",
    "gustave",
    "ian",
    "iven",
    "iven2",
    "iven3",
    "iven4",
    "john",
    "kaukovalta",
    "klatt",
    "klatt2",
    "klatt3",
    "klatt4",
    "linda",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "m8",
    "marcelo",
    "max",
    "michel",
    "miguel",
    "mike2",
    "norbert",
    "pablo",
    "paul",
    "pedro",
    "quincy",
    "rob",
    "robert",
    "sandro",
    "shelby",
    "steph",
    "steph2",
    "steph3",
    "travis",
    "victor",
    "zac",
)

_shuffled = [str(name) for name in np.random.default_rng(7).permutation(VARIANTS)]
TRAINING_VOICES = tuple(_shuffled[:20])
"""Voices of the commands' train and validation splits, also used for the pretraining words."""
TEST_VOICES = tuple(_shuffled[20:40])
"""Voices of the commands' test split, used for nothing else."""
PRETRAINING_VOICES = tuple(_shuffled[40:]) + TRAINING_VOICES


def delivery(rng: np.random.Generator) -> dict[str, int]:
    """Draw one way of speaking: rate (words per minute), pitch and pitch range (espeak-ng's 0 to 99)."""
    return {
        "rate": int(rng.integers(130, 251)),
        "pitch": int(rng.integers(20, 86)),
        "spread": int(rng.integers(20, 91)),
    }
