"""Tune a suite: choose the next tuning trials from finished ones, and the values of the final trials."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.meter import Meter
from ..errors import SuiteError, UserError
from .search import SEARCHES, Tried, best_of, edge, extension_point, pruning_thresholds
from .search_space import RATE, Point, Space, space_of
from .trial import Bars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..api.catalog import Catalog
    from .suite import StrategyChoice, Suite, Tuning
    from .trial import Trial

    ReadPoint = Callable[[Point, Sequence[Trial], str], Tried | None]
    """Point, its trials (one per tuning seed) and metric → their result; None until every trial has a record."""

MAX_EXTENSIONS = 2
"""Number of times a search may be extended beyond its range."""
MAX_POINTS = 1000
"""Number of points that a budget in seconds may be spent on."""


@dataclass(frozen=True)
class UnfinishedSearch:
    """Trials of one strategy on a backbone and task column whose values are not known yet."""

    place: tuple[str, str, str]
    """Task column, backbone and strategy."""
    tries: int
    """Number of tuning trials that depend on earlier ones, without extensions; 0 with a budget in seconds."""
    finals: int
    """Largest number of trials that follow the tuning."""


@dataclass(frozen=True)
class ScheduleState:
    """Schedule state of a suite: the trials that are known, and what is still open."""

    trials: tuple[Trial, ...]
    """Tuning trials first, then the others, once their values are chosen."""
    untold: tuple[UnfinishedSearch, ...] = ()
    """Searches that are not finished."""
    searches: tuple[Mapping[str, Any], ...] = ()
    """Search space and budget of each strategy on a backbone and task column, as JSON values."""

    @property
    def size(self) -> int:
        """Expected total number of trials."""
        return len(self.trials) + sum(one.tries + one.finals for one in self.untold)

    @property
    def places(self) -> dict[str, tuple[str, str, str, int]]:
        """Id → configuration key and seed of every final trial."""
        return {trial.id: trial.place for trial in self.trials if trial.role == "final"}

    @property
    def tuning(self) -> dict[str, Any]:
        """Tuning entry of `plan.json`: ids of tuning and untuned trials, and the searches; empty without tuning."""
        ids = [trial.id for trial in self.trials if trial.role != "final"]
        return {"trials": ids, "searches": [dict(one) for one in self.searches]} if self.searches else {}


class Tuner:
    """Runs the searches of one suite, given the results of finished tuning trials."""

    def __init__(self, suite: Suite, trials: Sequence[Trial], catalog: Catalog) -> None:
        """Prepare the searches.

        Args:
            suite: the suite; without a table `[tuning]` every trial runs as planned.
            trials: the planned trials, untuned.
            catalog: builds strategies and backbones.

        Raises:
            SuiteError: a space cannot be searched this way; one line for each.
        """
        self.suite, self.trials = suite, tuple(trials)
        self._groups: list[list[StrategySearch]] = []
        self._searches: dict[tuple[str, str, str], StrategySearch] = {}
        if suite.tuning is not None:
            self._prepare(suite.tuning, catalog)

    def _prepare(self, tuning: Tuning, catalog: Catalog) -> None:
        """Create a search for every strategy that trains, on every backbone and task column."""
        mistakes: list[str] = []
        by_key: dict[tuple[str, str, str], list[Trial]] = defaultdict(list)
        for trial in self.trials:
            by_key[trial.place[:3]].append(trial)
        choices = {choice.label: (number, choice) for number, choice in enumerate(self.suite.strategies, 1)}
        meters = tuple(name for name in self.suite.measure.meters if _is_cheap(catalog.find("meters", name)))
        for key, own in by_key.items():
            number, choice = choices[own[0].strategy.label]
            cls = catalog.find("strategies", choice.use)
            if own[0].not_applicable is not None or cls.lr_range is None:  # type: ignore[attr-defined]  # always there
                continue
            try:
                _check_fixed_splits(own)
                space = space_of(own[0], choice, tuning, catalog)
                self._searches[key] = StrategySearch(tuning, choice, tuple(own), space, meters)
            except UserError as error:
                mistakes.extend(
                    f"{self.suite.source}: strategy[{number}] on {own[0].target}: {line}" for line in error.mistakes
                )
        if mistakes:
            raise SuiteError(*dict.fromkeys(mistakes))
        groups: dict[tuple[str, str], list[StrategySearch]] = defaultdict(list)
        for (column, backbone, _), search in self._searches.items():
            groups[column, backbone].append(search)
        self._groups = list(groups.values())

    def course(self, read: ReadPoint) -> ScheduleState:
        """Return all trials that are known, with those that come next.

        Args:
            read: returns the result of one point; see `ftbench.records.tries.point_reader`.
        """
        if not self._searches:
            return ScheduleState(self.trials)
        tuning_trials: list[Trial] = []
        unfinished: list[UnfinishedSearch] = []
        for group in self._groups:
            _advance(group, read)
            for search in group:
                tuning_trials += search.trials
                if not search.finished:
                    coming = max(0, search.expected - len(search.trials))
                    unfinished.append(UnfinishedSearch(search.key, coming, search.finals_count))
        later = list(_mark_twins([found for trial in self.trials for found in self._tuned(trial)]))
        finals = [trial for trial in later if trial.role == "final"]
        unique: dict[str, Trial] = {}
        # The chosen values may be the untuned ones: that trial runs once.
        for trial in (*tuning_trials, *finals, *later):
            unique.setdefault(trial.id, trial)
        searches = tuple(search.description for search in self._searches.values())
        return ScheduleState(tuple(unique.values()), tuple(unfinished), searches)

    def _tuned(self, trial: Trial) -> Iterator[Trial]:
        """Yield a planned trial with its chosen values, and the untuned one; nothing while the search is unfinished."""
        search = self._searches.get(trial.place[:3])
        if search is None:
            yield trial
        elif search.finished:
            yield search.final(trial)
            if search.tuning.defaults:
                yield replace(trial, role="default")


def _mark_twins(trials: Sequence[Trial]) -> Iterator[Trial]:
    """Mark final trials that tuning made equal to a trial of another strategy, so that both run."""
    owners: dict[str, tuple[str, str, str, int]] = {}
    for trial in trials:
        if trial.role == "final" and owners.setdefault(trial.id, trial.place) != trial.place and trial.values:
            yield replace(trial, twin=trial.strategy.label)
        else:
            yield trial


class StrategySearch:
    """The search for one strategy on one backbone and task column, with its state."""

    def __init__(
        self, tuning: Tuning, choice: StrategyChoice, own: tuple[Trial, ...], space: Space, meters: tuple[str, ...]
    ) -> None:
        self.tuning, self.space, self.own = tuning, space, own
        self.key = own[0].place[:3]
        self.tries = choice.tries or tuning.tries
        self.seconds = choice.seconds or tuning.seconds
        self.search = SEARCHES[tuning.search](space, _seed_of(tuning.search_seed, self.key), self.tries)
        if self.tries is not None and space.size < self.tries:
            raise UserError(f"its space has {space.size:g} points, fewer than {self.tries} tries; list more values")
        self.description: dict[str, Any] = {
            "place": list(self.key),
            "search": tuning.search,
            "budget": self.budget,
            "metric": tuning.metric,
            "space": space.as_json(),
            "untuned": dict(space.default),
        }
        """Entry of `plan.json`, and the `choice` of every tuning trial."""
        self._template = replace(own[0], role="try", meters=meters, probe=False, choice=self.description)
        self._prunes = tuning.pruning == "halving" and not own[0].is_sequence
        self._lower = False
        self._proposed: list[tuple[Point, list[Trial]]] = []
        self.trials: list[Trial] = []
        """The tuning trials that are known."""
        self.results: list[Tried] = []
        """The finished points."""
        self.finished = False
        """Whether the search is finished."""

    @property
    def expected(self) -> int:
        """Number of tuning trials, without extensions; 0 with a budget in seconds."""
        return (self.tries or 0) * len(self.tuning.seeds)

    @property
    def finals_count(self) -> int:
        """Largest number of trials that follow the search."""
        return len(self.own) * (2 if self.tuning.defaults else 1)

    @property
    def budget(self) -> str:
        """The budget in words; only strategies with equal budgets are compared."""
        return (
            f"{self.seconds:g} s of training"
            if self.tries is None
            else f"{self.tries} {'try' if self.tries == 1 else 'tries'}"
        )

    def advance(self, read: ReadPoint) -> None:
        """Update the state from finished tuning trials, without extensions."""
        one_by_one = self.search.uses_scores or self._prunes or self.seconds is not None
        self.trials, self.results, self.finished = [], [], True
        points: list[Tried] = []
        while len(points) < (self.tries or MAX_POINTS):
            if self.tries is None and sum(one.seconds for one in self.results) >= (self.seconds or 0.0):
                break
            if len(points) == len(self._proposed):
                point = self.search.point(points)
                if point is None:
                    break
                self._proposed.append((point, self._trials(point)))
            point, trials = self._proposed[len(points)]
            found = self._add_point(point, trials, read)
            if found is None and one_by_one:
                break
            points.append(found or Tried(point, None))

    def extend(self, read: ReadPoint) -> None:
        """Add one point: beyond the range if the best learning rate is at its end, otherwise next to the best one."""
        point = extension_point(self.results, self.space)
        self._add_point(point, self._trials(point, may_prune=False), read)

    def _trials(self, point: Point, *, may_prune: bool = True) -> list[Trial]:
        """Return the trials of one point, one for each tuning seed."""
        template = replace(self._template, bars=self._thresholds() if may_prune else None)
        return [with_values(replace(template, seed=seed), point) for seed in self.tuning.seeds]

    def _thresholds(self) -> Bars | None:
        """Return the pruning thresholds of the next trial, or None if it cannot be pruned."""
        if not self._prunes:
            return None
        needed = pruning_thresholds(
            self.results, self._template.stages[0].training["validations"], self.tuning.reduction
        )
        if not needed:
            return None
        sign = -1 if self._lower else 1
        return Bars(self.tuning.metric, tuple((number, sign * least) for number, least in needed), self._lower)

    def _add_point(self, point: Point, trials: list[Trial], read: ReadPoint) -> Tried | None:
        """Add the trials of a point and return its result, or None, keeping the search open, if one is missing."""
        self.trials += trials
        found = read(point, trials, self.tuning.metric)
        if found is None:
            self.finished = False
            return None
        self._lower = self._lower or found.lower
        self.results.append(found)
        return found

    def final(self, trial: Trial) -> Trial:
        """Return a final trial with its tuned values and a description of how they were chosen."""
        best = best_of(self.results)
        choice = {
            "search": self.tuning.search,
            "budget": self.budget,
            "tries": len(self.results),
            "seeds": list(self.tuning.seeds),
            "metric": self.tuning.metric,
            "score": best.score if best else None,
            "edge": edge(self.results, self.space),
            "untuned": dict(self.space.default),
        }
        if best is None:
            return replace(trial, choice={**choice, "reason": "no try has a score; the values are the untuned ones"})
        return with_values(replace(trial, choice=choice), best.point)


def _advance(group: Sequence[StrategySearch], read: ReadPoint) -> None:
    """Update all searches on one backbone and task column.

    If the best learning rate of any strategy is at an end of its range, every strategy gets one more point: that one
    beyond the end, the others within their range.
    """
    for search in group:
        search.advance(read)
    for _ in range(MAX_EXTENSIONS if group[0].tuning.extend else 0):
        if not all(search.finished for search in group):
            break
        if not any(edge(search.results, search.space) for search in group):
            return
        for search in group:
            search.extend(read)
    if group[0].tuning.extend and not all(search.finished for search in group):
        # While any search is open, it may still extend all others.
        for search in group:
            search.finished = False


def _check_fixed_splits(own: Sequence[Trial]) -> None:
    """Check that all seeds have the same splits; otherwise one seed would be tuned on test items of another.

    Raises:
        UserError: the splits differ between seeds.
    """
    for one, other in itertools.pairwise(own):
        if [stage.task for stage in one.stages] != [stage.task for stage in other.stages]:
            raise UserError(
                "its splits differ between seeds, as with folds: one seed would be tuned on test items of another"
            )


def with_values(trial: Trial, values: Mapping[str, Any]) -> Trial:
    """Return a trial with tuned values; the same values written by hand in the suite give the same trial."""
    options = {**trial.strategy.options, **{name: value for name, value in values.items() if name != RATE}}
    stages = tuple(replace(stage, training={**stage.training, "lr": values[RATE]}) for stage in trial.stages)
    return replace(trial, strategy=replace(trial.strategy, options=options), stages=stages, values=dict(values))


def _is_cheap(meter: type) -> bool:
    """Return whether a meter only watches the training; meters that measure after scoring are left out of tuning."""
    return meter.examine is Meter.examine  # type: ignore[attr-defined]  # every meter has it


def _seed_of(seed: int, key: tuple[str, str, str]) -> int:
    return int(np.random.SeedSequence([seed, *"\0".join(key).encode()]).generate_state(1)[0])
