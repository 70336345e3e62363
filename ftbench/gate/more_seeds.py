"""Running a suite on further seeds of its baseline, where a gate could not tell."""

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
    """Give the trials that bring each place to its next look, as far as the baseline has their seeds."""
    found: set[tuple[Place, int]] = set()
    for place in places:
        done, there = head.records.get(place, {}), base.records.get(place, {})
        shared = sum(seed in there for seed in done)
        look = next_look(shared, looks)
        fresh = [seed for seed in base.seeds if seed in there and seed not in done]
        found |= {(place, seed) for seed in fresh[: look - shared if look is not None else 0]}
    return found


@dataclass
class Only:
    """Keeps of a plan what stands already and what is wanted."""

    seeds: frozenset[int]
    trials: frozenset[tuple[Place, int]]

    @hookimpl
    def ftbench_trials_planned(self, trials: list[Trial]) -> None:
        """Leave the others out."""
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
    """Run the trials that are wanted beside what a run has; its plan then holds both.

    Args:
        suite: of the run.
        head: what is there.
        trials: what is wanted.
        order: seeds in the baseline's order, by which folds are chosen.
        selection: how trial processes find the plugins.
        runs: the folder of run directories.
        observe: may add an observer to the plugins.
    """
    fresh = {seed for _, seed in trials}
    there = {(place, seed) for place, seeds in head.records.items() for seed in seeds} if head is not None else set()
    seeds = [
        *suite.seeds,
        *(seed for seed in order if seed not in suite.seeds and (seed in fresh or seed in {s for _, s in there})),
    ]
    plugins = Plugins.discover(selection)
    plugins.register(Only(frozenset(suite.seeds), frozenset(trials | there)), "gate")
    observe(plugins)
    return run_suite(replace(suite, seeds=tuple(seeds)), plugins, selection, runs)
