"""Vision tasks: a user's own, and those that need no network."""

from collections.abc import Mapping

from ftbench import Task, hookimpl

from .classification import ImageClassification
from .digits import Digits, Digits04, Digits59


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer what this package has."""
    return {"image-classification": ImageClassification, "digits": Digits, "digits-0-4": Digits04, "digits-5-9": Digits59}
