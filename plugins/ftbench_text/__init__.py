"""Text tasks."""

from collections.abc import Mapping

from ftbench import Task, hookimpl

from .words import WordIntensity, WordSentiment


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer what this package has."""
    return {"word-sentiment": WordSentiment, "word-intensity": WordIntensity}
