"""Speech tasks, on user data and built-in data, and sound augmentations."""

from collections.abc import Mapping

from ftbench import Augmentation, Task, hookimpl

from .augmentations.audio_gain import AudioGain
from .augmentations.audio_noise import AudioNoise
from .augmentations.specaugment import SpecAugment
from .augmentations.speed import Speed
from .augmentations.time_shift import TimeShift
from .classification import AudioClassification
from .commands import CommandsA, CommandsB, SpokenCommands
from .recognition import SpeechRecognition


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer the tasks of this package."""
    return {
        "audio-classification": AudioClassification,
        "speech-recognition": SpeechRecognition,
        "spoken-commands": SpokenCommands,
        "commands-a": CommandsA,
        "commands-b": CommandsB,
    }


@hookimpl
def ftbench_augmentations() -> Mapping[str, type[Augmentation]]:
    """Offer the augmentations of this package."""
    return {
        "audio-noise": AudioNoise,
        "audio-gain": AudioGain,
        "time-shift": TimeShift,
        "speed": Speed,
        "specaugment": SpecAugment,
    }
