"""Speech tasks: a user's own, and those that need no network."""

from collections.abc import Mapping

from ftbench import Task, hookimpl

from .classification import AudioClassification
from .commands import CommandsA, CommandsB, SpokenCommands


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer what this package has."""
    return {
        "audio-classification": AudioClassification,
        "spoken-commands": SpokenCommands,
        "commands-a": CommandsA,
        "commands-b": CommandsB,
    }
