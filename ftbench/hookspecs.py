"""All hooks, in calling order: the page to read before writing a plugin.

A plugin is a module. It offers what it has by returning mappings from names to classes, and may watch a run. Nothing
happens at import; nothing is called that is not listed here.
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
"""Marks a function of a plugin as the implementation of the hook it is named after."""


# ---- offers: called once in each process, in any order; a name offered twice is an error naming both plugins ---------


@hookspec
def ftbench_backbones() -> Mapping[str, type[Backbone]]:  # type: ignore[empty-body]  # a specification has no body
    """Offer backbones: pretrained weights a learner can be made from."""


@hookspec
def ftbench_tasks() -> Mapping[str, type[Task]]:  # type: ignore[empty-body]
    """Offer tasks: data sets that ship with the plugin, or kinds applied to a user's data."""


@hookspec
def ftbench_augmentations() -> Mapping[str, type[Augmentation]]:  # type: ignore[empty-body]
    """Offer augmentations: random changes of training examples, named by a task's option `augment`."""


@hookspec
def ftbench_strategies() -> Mapping[str, type[Strategy]]:  # type: ignore[empty-body]
    """Offer strategies: what trains, and how."""


@hookspec
def ftbench_meters() -> Mapping[str, type[Meter]]:  # type: ignore[empty-body]
    """Offer meters: what is measured while a trial goes on."""


@hookspec
def ftbench_reports() -> Mapping[str, type[Report]]:  # type: ignore[empty-body]
    """Offer reports: files written from a summary; the name is the format asked for on the command line."""


# ---- shaping: in the runner, before anything is trained ----------------------------------------------------------------


@hookspec
def ftbench_trials_planned(suite: Suite, trials: list[Trial]) -> None:
    """Filter, shard or reorder `trials` in place. An implementation that raises ends the command."""


# ---- observing: in the runner; an implementation that raises is logged and the run goes on ------------------------------


@hookspec
def ftbench_suite_started(suite: Suite, trials: list[Trial]) -> None:
    """Called when the trials still to do are known, before the first starts."""


@hookspec
def ftbench_trials_added(suite: Suite, trials: list[Trial]) -> None:
    """Called when more is to do than was known at first: tries of a tuning are done, and tell what follows."""


@hookspec
def ftbench_trial_started(trial: Trial) -> None:
    """Called when the process of `trial` has been asked for."""


@hookspec
def ftbench_step_finished(trial: Trial, step: int, steps: int, loss: float) -> None:
    """Called now and then while `trial` trains: `step` of `steps` optimizer steps are done, `loss` is the task's."""


@hookspec
def ftbench_trial_retried(trial: Trial, attempt: Attempt) -> None:
    """Called when an attempt at `trial` was ended by the machine, and another will be made."""


@hookspec
def ftbench_trial_finished(trial: Trial, record: Record) -> None:
    """Called when `record` stands on disk, whatever its status."""


@hookspec
def ftbench_suite_finished(suite: Suite, records: list[Record]) -> None:
    """Called last, with the records of all planned trials, earlier ones included; also after an interruption."""
