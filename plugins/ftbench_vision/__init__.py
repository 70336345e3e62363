"""Vision tasks."""

from collections.abc import Mapping

from ftbench import Task, hookimpl

from .digits import Digits, Digits04, Digits59


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer what this package has."""
    return {"digits": Digits, "digits-0-4": Digits04, "digits-5-9": Digits59}
