"""Tuning a suite: which tries come next, as far as the records tell, and which values the trials that count are given."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.meter import Meter
from ..errors import SuiteError, UserError
from .search import SEARCHES, Tried, bars, best_of, beyond, edge
from .search_space import RATE, Point, Space, space_of
from .trial import Bars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..api.catalog import Catalog
    from .suite import StrategyChoice, Suite, Tuning
    from .trial import Trial

    ReadPoint = Callable[[Point, Sequence[Trial], str], Tried | None]
    """Point, its trials (one per tuning seed) and metric → their result; None until every trial has a record."""

EXTENSIONS = 2
"""How often a search goes on beyond the ends of its range, at most."""
MOST = 1000
"""Tries a budget in seconds may be made of."""


@dataclass(frozen=True)
class Untold:
    """Trials of one strategy on a backbone and target whose values are not known yet."""

    place: tuple[str, str, str]
    """Target, backbone and strategy."""
    tries: int
    """Tries that depend on those before, extensions left out; 0 where a budget in seconds decides."""
    finals: int
    """Trials that follow the tuning, at most."""


@dataclass(frozen=True)
class Course:
    """How far a suite is: the trials it comes to, as far as the records tell."""

    trials: tuple[Trial, ...]
    """Tries first; those that count last, once their values are chosen."""
    untold: tuple[Untold, ...] = ()
    """What comes of searches that are not over."""
    searches: tuple[Mapping[str, Any], ...] = ()
    """What is searched, and with which budget, for each strategy on a backbone and target; as JSON values."""

    @property
    def size(self) -> int:
        """How many trials it comes to, as far as can be said."""
        return len(self.trials) + sum(one.tries + one.finals for one in self.untold)

    @property
    def places(self) -> dict[str, tuple[str, str, str, int]]:
        """Id → place of what is compared."""
        return {trial.id: trial.place for trial in self.trials if trial.role == "final"}

    @property
    def tuning(self) -> dict[str, Any]:
        """What `plan.json` notes of the tuning: ids of what serves it alone, and what is searched; nothing where there is none."""
        ids = [trial.id for trial in self.trials if trial.role != "final"]
        return {"trials": ids, "searches": [dict(one) for one in self.searches]} if self.searches else {}


class Tuner:
    """Follows the tuning of one suite."""

    def __init__(self, suite: Suite, trials: Sequence[Trial], catalog: Catalog) -> None:
        """Prepare the searches.

        Args:
            suite: whose table `[tuning]` says how; without one every trial runs as it is planned.
            trials: those that count, as they are planned, untuned.
            catalog: what builds strategies and backbones.

        Raises:
            SuiteError: a space cannot be searched so; a line for each.
        """
        self.suite, self.trials = suite, tuple(trials)
        self._groups: list[list[Searched]] = []
        self._of: dict[tuple[str, str, str], Searched] = {}
        if suite.tuning is not None:
            self._prepare(suite.tuning, catalog)

    def _prepare(self, tuning: Tuning, catalog: Catalog) -> None:
        mistakes: list[str] = []
        places: dict[tuple[str, str, str], list[Trial]] = defaultdict(list)
        for trial in self.trials:
            places[trial.place[:3]].append(trial)
        choices = {choice.label: (number, choice) for number, choice in enumerate(self.suite.strategies, 1)}
        meters = tuple(name for name in self.suite.measure.meters if _is_cheap(catalog.find("meters", name)))
        for place, own in places.items():
            number, choice = choices[own[0].strategy.label]
            if own[0].not_applicable is not None or catalog.find("strategies", choice.use).lr_range is None:  # type: ignore[attr-defined]
                continue
            try:
                _refuse_moving_splits(own)
                self._of[place] = Searched(
                    tuning, choice, tuple(own), space_of(own[0], choice, tuning, catalog), meters
                )
            except UserError as error:
                mistakes.extend(
                    f"{self.suite.source}: strategy[{number}] on {own[0].target}: {line}" for line in error.mistakes
                )
        if mistakes:
            raise SuiteError(*dict.fromkeys(mistakes))
        groups: dict[tuple[str, str], list[Searched]] = defaultdict(list)
        for (target, backbone, _), searched in self._of.items():
            groups[target, backbone].append(searched)
        self._groups = list(groups.values())

    def course(self, read: ReadPoint) -> Course:
        """Return all trials that are known, with those that come next.

        Args:
            read: returns the result of one point; see `ftbench.records.tries.point_reader`.
        """
        if not self._of:
            return Course(self.trials)
        tries: list[Trial] = []
        untold: list[Untold] = []
        for group in self._groups:
            _follow(group, read)
            for searched in group:
                tries += searched.trials
                if not searched.over:
                    untold.append(
                        Untold(searched.place, max(0, searched.expected - len(searched.trials)), searched.finals_count)
                    )
        later = list(_told_apart([found for trial in self.trials for found in self._tuned(trial)]))
        finals = [trial for trial in later if trial.role == "final"]
        unique: dict[str, Trial] = {}
        # A choice may come to what was there untuned: nothing is done twice.
        for trial in (*tries, *finals, *later):
            unique.setdefault(trial.id, trial)
        return Course(tuple(unique.values()), tuple(untold), tuple(searched.told for searched in self._of.values()))

    def _tuned(self, trial: Trial) -> Iterator[Trial]:
        searched = self._of.get(trial.place[:3])
        if searched is None:
            yield trial
        elif searched.over:
            yield searched.final(trial)
            if searched.tuning.defaults:
                yield replace(trial, role="default")


def _told_apart(trials: Sequence[Trial]) -> Iterator[Trial]:
    """Make trials of their own of those that tuning has made equal to another strategy's."""
    owners: dict[str, tuple[str, str, str, int]] = {}
    for trial in trials:
        if trial.role == "final" and owners.setdefault(trial.id, trial.place) != trial.place and trial.values:
            yield replace(trial, twin=trial.strategy.label)
        else:
            yield trial


class Searched:
    """The search for one strategy on one backbone and target, and how far it is."""

    def __init__(
        self, tuning: Tuning, choice: StrategyChoice, own: tuple[Trial, ...], space: Space, meters: tuple[str, ...]
    ) -> None:
        self.tuning, self.space, self.own = tuning, space, own
        self.place = own[0].place[:3]
        self.tries = choice.tries or tuning.tries
        self.seconds = choice.seconds or tuning.seconds
        self.search = SEARCHES[tuning.search](space, _seed_of(tuning.search_seed, self.place), self.tries)
        if self.tries is not None and space.size < self.tries:
            raise UserError(
                f"its space holds {space.size:g} points, fewer than {self.tries} tries; give it more values"
            )
        self.told: dict[str, Any] = {
            "place": list(self.place),
            "search": tuning.search,
            "budget": self.budget,
            "metric": tuning.metric,
        }
        self.told |= {"space": space.as_json(), "untuned": dict(space.default)}
        self._template = replace(own[0], role="try", meters=meters, probe=False, choice=self.told)
        self._halves = tuning.pruning == "halving" and not own[0].is_sequence
        self._lower = False
        self._made: list[tuple[Point, list[Trial]]] = []
        self.trials: list[Trial] = []
        """Those of its tries that are known."""
        self.done: list[Tried] = []
        """Its finished tries."""
        self.over = False
        """Whether no try is to come."""

    @property
    def expected(self) -> int:
        """How many trials its tries are, extensions left out; 0 where a budget in seconds decides."""
        return (self.tries or 0) * len(self.tuning.seeds)

    @property
    def finals_count(self) -> int:
        """How many trials follow, at most."""
        return len(self.own) * (2 if self.tuning.defaults else 1)

    @property
    def budget(self) -> str:
        """What it was given, in words: only equal ones are compared."""
        return (
            f"{self.seconds:g} s of training"
            if self.tries is None
            else f"{self.tries} {'try' if self.tries == 1 else 'tries'}"
        )

    def follow(self, read: ReadPoint) -> None:
        """Find out how far the search is, extensions left out."""
        one_by_one = self.search.looks_back or self._halves or self.seconds is not None
        self.trials, self.done, self.over = [], [], True
        points: list[Tried] = []
        while len(points) < (self.tries or MOST):
            if self.tries is None and sum(one.seconds for one in self.done) >= (self.seconds or 0.0):
                break
            if len(points) == len(self._made):
                point = self.search.point(points)
                if point is None:
                    break
                self._made.append((point, self._trials(point)))
            point, trials = self._made[len(points)]
            found = self._note(point, trials, read)
            if found is None and one_by_one:
                break
            points.append(found or Tried(point, None))

    def go_beyond(self, read: ReadPoint) -> None:
        """Make one try more: past the end of the range where the best is there."""
        point = beyond(self.done, self.space)
        self._note(point, self._trials(point, barred=False), read)

    def _trials(self, point: Point, *, barred: bool = True) -> list[Trial]:
        """Give the trials of one point, one a tuning seed."""
        template = replace(self._template, bars=self._bars() if barred else None)
        return [with_values(replace(template, seed=seed), point) for seed in self.tuning.seeds]

    def _bars(self) -> Bars | None:
        """Give what the next try must reach to go on; None where it need not."""
        if not self._halves:
            return None
        needed = bars(self.done, self._template.stages[0].training["validations"], self.tuning.reduction)
        sign = -1 if self._lower else 1
        return (
            Bars(self.tuning.metric, tuple((number, sign * least) for number, least in needed), self._lower)
            if needed
            else None
        )

    def _note(self, point: Point, trials: list[Trial], read: ReadPoint) -> Tried | None:
        """Note what became of a point; None, and the search is not over, where a record is missing."""
        self.trials += trials
        found = read(point, trials, self.tuning.metric)
        if found is None:
            self.over = False
            return None
        self._lower = self._lower or found.lower
        self.done.append(found)
        return found

    def final(self, trial: Trial) -> Trial:
        """Give a trial that counts its values, and say how they were chosen."""
        best = best_of(self.done)
        choice = {
            "search": self.tuning.search,
            "budget": self.budget,
            "tries": len(self.done),
            "seeds": list(self.tuning.seeds),
            "metric": self.tuning.metric,
            "score": best.score if best else None,
            "edge": edge(self.done, self.space),
            "untuned": dict(self.space.default),
        }
        if best is None:
            return replace(trial, choice={**choice, "reason": "no try gave a score; the values are the untuned ones"})
        return with_values(replace(trial, choice=choice), best.point)


def _follow(group: Sequence[Searched], read: ReadPoint) -> None:
    """Find out how far everyone on a backbone and target is.

    Where the best rate of any lies at an end, all get a further try: it beyond that end, the others within their range.
    """
    for searched in group:
        searched.follow(read)
    for _ in range(EXTENSIONS if group[0].tuning.extend else 0):
        if not all(searched.over for searched in group):
            break
        if not any(edge(searched.done, searched.space) for searched in group):
            return
        for searched in group:
            searched.go_beyond(read)
    if group[0].tuning.extend and not all(searched.over for searched in group):
        # Whether anyone gets a further try is open while others search.
        for searched in group:
            searched.over = False


def _refuse_moving_splits(own: Sequence[Trial]) -> None:
    """Refuse splits that differ from seed to seed: what one seed's tries train on is what another's test is made of."""
    for one, other in itertools.pairwise(own):
        if [stage.task for stage in one.stages] != [stage.task for stage in other.stages]:
            raise UserError(
                "its splits differ from seed to seed, as with folds: the tries of one would see the test items of another"
            )


def with_values(trial: Trial, values: Mapping[str, Any]) -> Trial:
    """Give a trial its tuned values: what was written by hand in their places would make the same trial."""
    options = {**trial.strategy.options, **{name: value for name, value in values.items() if name != RATE}}
    stages = tuple(replace(stage, training={**stage.training, "lr": values[RATE]}) for stage in trial.stages)
    return replace(trial, strategy=replace(trial.strategy, options=options), stages=stages, values=dict(values))


# ---- what became of a try --------------------------------------------------------------------------------------------------


def _is_cheap(meter: type) -> bool:
    """Tell whether a meter only watches: what measures once more after scoring is left out of tries."""
    return meter.examine is Meter.examine  # type: ignore[attr-defined]


def _seed_of(seed: int, place: tuple[str, str, str]) -> int:
    return int(np.random.SeedSequence([seed, *"\0".join(place).encode()]).generate_state(1)[0])
