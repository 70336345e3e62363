"""Plan a suite for this machine: choose its device, and let plugins change the plan.

Separate from `runner` because `ftbench plan` and `ftbench validate` need nothing else of it, and it is slow to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..environment import visible_gpus
from ..errors import UserError
from ..suite.planning import foresee, plan

if TYPE_CHECKING:
    from ..api.catalog import Catalog
    from ..plugins import Plugins
    from ..suite.planning import Foreseen
    from ..suite.suite import Machine, Suite
    from ..suite.trial import Trial


def choose_device(wanted: str) -> str:
    """Return `cuda` if it is requested or the machine has a GPU, otherwise `cpu`.

    Raises:
        UserError: `cuda` is requested and NVML finds no GPU.
    """
    if wanted == "cpu":
        return "cpu"
    found = bool(visible_gpus())
    if wanted == "cuda" and not found:
        raise UserError("machine.device: 'cuda' is requested, but NVML finds no GPU on this machine")
    return "cuda" if found else "cpu"


def trials_at_a_time(machine: Machine) -> int:
    """Return how many trials of a suite run at a time on this machine."""
    return len(visible_gpus()) if choose_device(machine.device) == "cuda" else machine.workers


def plan_here(suite: Suite, plugins: Plugins, catalog: Catalog) -> list[Trial]:
    """Plan a suite for this machine; plugins may change the plan."""
    trials = plan(suite, catalog, choose_device(suite.machine.device))
    plugins.trials_planned(suite, trials)
    return trials


def foresee_here(suite: Suite, plugins: Plugins, catalog: Catalog) -> Foreseen:
    """Plan as much of a suite for this machine as is possible before any download."""
    foreseen = foresee(suite, catalog, choose_device(suite.machine.device))
    plugins.trials_planned(suite, foreseen.trials)
    return foreseen
