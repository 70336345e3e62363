"""Run a suite on further seeds of its baseline when a gate is inconclusive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..hookspecs import hookimpl
from ..plugins import Plugins
from ..records.record_set import Place
from ..runner.runner import run_suite
from ..stats.noninferiority import next_look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ..plugins import Selection
    from ..records.record_set import RecordSet
    from ..runner.runner import Outcome
    from ..suite.suite import Suite
    from ..suite.trial import Trial


def wanted(head: RecordSet, base: RecordSet, places: Iterable[Place], looks: tuple[int, ...]) -> set[tuple[Place, int]]:
    """Return the trials that each configuration needs for its next look, limited to seeds of the baseline."""
    found: set[tuple[Place, int]] = set()
    for place in places:
        done, there = head.records.get(place, {}), base.records.get(place, {})
        shared = sum(seed in there for seed in done)
        look = next_look(shared, looks)
        fresh = [seed for seed in base.seeds if seed in there and seed not in done]
        found |= {(place, seed) for seed in fresh[: look - shared if look is not None else 0]}
    return found


@dataclass
class PlanFilter:
    """Plugin that reduces a plan to whole seeds and single trials."""

    seeds: frozenset[int]
    trials: frozenset[tuple[Place, int]]

    @hookimpl
    def ftbench_trials_planned(self, trials: list[Trial]) -> None:
        """Remove all other trials."""
        trials[:] = [
            trial
            for trial in trials
            if trial.seed in self.seeds or (Place(*trial.place[:3]), trial.seed) in self.trials
        ]


def run_more(
    suite: Suite,
    head: RecordSet | None,
    trials: set[tuple[Place, int]],
    order: Iterable[int],
    *,
    selection: Selection,
    runs: Path,
    observe: Callable[[Plugins], None] = lambda _: None,
) -> Outcome:
    """Run additional trials of a run; its plan then lists the existing and the new ones.

    Args:
        suite: the suite of the run.
        head: the existing run; None if there is none yet.
        trials: the additional trials.
        order: seeds in the baseline's order, which determines folds.
        selection: how trial processes find the plugins.
        runs: the folder of run directories.
        observe: called with the plugins before the run; may register an observer.
    """
    fresh = {seed for _, seed in trials}
    there = {(place, seed) for place, seeds in head.records.items() for seed in seeds} if head is not None else set()
    seeds = [
        *suite.seeds,
        *(seed for seed in order if seed not in suite.seeds and (seed in fresh or seed in {s for _, s in there})),
    ]
    plugins = Plugins.discover(selection)
    plugins.register(PlanFilter(frozenset(suite.seeds), frozenset(trials | there)), "gate")
    observe(plugins)
    return run_suite(replace(suite, seeds=tuple(seeds)), plugins, selection, runs, tolerated="error")
