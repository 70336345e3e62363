"""Speech tasks."""

from collections.abc import Mapping

from ftbench import Task, hookimpl

from .commands import CommandsA, CommandsB, SpokenCommands


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer what this package has."""
    return {"spoken-commands": SpokenCommands, "commands-a": CommandsA, "commands-b": CommandsB}
