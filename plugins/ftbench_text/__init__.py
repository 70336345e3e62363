"""Text tasks: a user's own, and those that need no network."""

from collections.abc import Mapping

from ftbench import Task, hookimpl

from .classification import TextClassification
from .words import WordIntensity, WordSentiment


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer what this package has."""
    return {"text-classification": TextClassification, "word-sentiment": WordSentiment, "word-intensity": WordIntensity}
