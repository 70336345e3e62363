"""Speech tasks: a user's own, and those that need no network."""

from collections.abc import Mapping

from ftbench import Task, hookimpl

from .classification import AudioClassification
from .commands import CommandsA, CommandsB, SpokenCommands
from .recognition import SpeechRecognition


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer what this package has."""
    return {
        "audio-classification": AudioClassification,
        "speech-recognition": SpeechRecognition,
        "spoken-commands": SpokenCommands,
        "commands-a": CommandsA,
        "commands-b": CommandsB,
    }
