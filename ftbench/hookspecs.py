"""All plugin hooks, in calling order. Read this module before writing a plugin.

A plugin is a module. It returns mappings from names to classes and may observe a run. ftbench calls only the hooks
listed here, and importing a plugin must have no side effects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .analysis.report import Report
    from .api.augmentation import Augmentation
    from .api.backbone import Backbone
    from .api.meter import Meter
    from .api.strategy import Strategy
    from .api.task import Task
    from .records.record import Attempt, Record
    from .suite.suite import Suite
    from .suite.trial import Trial

hookspec = pluggy.HookspecMarker("ftbench")
hookimpl = pluggy.HookimplMarker("ftbench")
"""Decorator that marks a function of a plugin as the implementation of the hook with the same name."""


# ---- offers: called once per process, in any order; if two plugins offer the same name, an error names both ----------


@hookspec
def ftbench_backbones() -> Mapping[str, type[Backbone]]:  # type: ignore[empty-body]  # a specification has no body
    """Offer backbones: pretrained weights from which a learner is built."""


@hookspec
def ftbench_tasks() -> Mapping[str, type[Task]]:  # type: ignore[empty-body]  # as above
    """Offer tasks: data sets shipped with the plugin, or kinds of task for a user's own data."""


@hookspec
def ftbench_augmentations() -> Mapping[str, type[Augmentation]]:  # type: ignore[empty-body]  # as above
    """Offer augmentations: random changes of training examples, selected by a task's option `augment`."""


@hookspec
def ftbench_strategies() -> Mapping[str, type[Strategy]]:  # type: ignore[empty-body]  # as above
    """Offer strategies: which parameters are trained, and how."""


@hookspec
def ftbench_meters() -> Mapping[str, type[Meter]]:  # type: ignore[empty-body]  # as above
    """Offer meters: measurements taken while a trial runs."""


@hookspec
def ftbench_reports() -> Mapping[str, type[Report]]:  # type: ignore[empty-body]  # as above
    """Offer reports: files written from a summary; the name is the value of `ftbench report --format`."""


# ---- planning: called in the runner, before training starts ----------------------------------------------------------


@hookspec
def ftbench_trials_planned(suite: Suite, trials: list[Trial]) -> None:
    """Filter, shard or reorder `trials` in place. An implementation that raises ends the command."""


# ---- observing: called in the runner; an error in an implementation is logged and the run continues ------------------


@hookspec
def ftbench_suite_started(suite: Suite, trials: list[Trial]) -> None:
    """Called when the unfinished trials are known, before the first one starts."""


@hookspec
def ftbench_trials_added(suite: Suite, trials: list[Trial]) -> None:
    """Called when trials are added: tuning trials have finished and determine further trials."""


@hookspec
def ftbench_trial_started(trial: Trial) -> None:
    """Called when the process of `trial` is requested."""


@hookspec
def ftbench_step_finished(trial: Trial, step: int, steps: int, loss: float) -> None:
    """Called from time to time while `trial` trains: `step` of `steps` are done, `loss` is the task loss."""


@hookspec
def ftbench_trial_retried(trial: Trial, attempt: Attempt) -> None:
    """Called when the machine ended an attempt at `trial` and another attempt follows."""


@hookspec
def ftbench_run_interrupted(trials: list[Trial], immediate: bool) -> None:
    """Called at once when the user interrupts the run, in another thread than the other hooks.

    No further trial starts. `trials` are running: they are finished or, if `immediate`, stopped.
    """


@hookspec
def ftbench_trial_finished(trial: Trial, record: Record) -> None:
    """Called when `record` is written to disk, whatever its status."""


@hookspec
def ftbench_suite_finished(suite: Suite, records: list[Record]) -> None:
    """Called last, also after an interruption, with the records of all planned trials, including earlier ones."""
