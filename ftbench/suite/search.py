"""Searches: which point of a space is tried next, and which tries are not worth going on with.

Each is a function of the tries before it, so that a search which was cut short goes on as if it had not been.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .search_space import RATE, Listed, Span, rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.study import Study

    from .search_space import Point, Space

REDRAWN = 200
"""How often a draw that was tried before is drawn again before the space is taken for exhausted."""
AT_RANDOM = 4
"""Tries at random, the untuned one included, before the estimator has something to go by."""
BEYOND = 10 ** (1 / 2)
"""How far beyond the end of its range a learning rate is tried next: half a decade."""
_NEAR = 0.05


@dataclass(frozen=True)
class Tried:
    """One point, and what became of it."""

    point: Point
    score: float | None
    """On the validation split, its sign turned where lower is better; None where it failed or was stopped."""
    loss: float | None = None
    """The task's loss there: what decides between equal scores."""
    way: tuple[float, ...] = ()
    """The same score at each validation while it trained."""
    seconds: float = 0.0
    """Of training."""
    stopped: bool = False
    """Whether it was pruned."""
    lower: bool = False
    """Whether a lower value of the metric is better."""


class Search(ABC):
    """Chooses the points of one space."""

    looks_back: ClassVar[bool] = False
    """Whether a point depends on the scores of those before."""

    def __init__(self, space: Space, seed: int, count: int | None) -> None:
        self.space, self.seed, self.count = space, seed, count

    @abstractmethod
    def point(self, before: Sequence[Tried]) -> Point | None:
        """Give the point to try after these; None where the space is exhausted."""


class Grid(Search):
    """Every point of a grid."""

    def __init__(self, space: Space, seed: int, count: int | None) -> None:
        super().__init__(space, seed, count)
        assert count is not None, "a grid has a number of points"
        self._points = space.grid(count)

    def point(self, before: Sequence[Tried]) -> Point | None:
        """Give the points in their order."""
        return self._points[len(before)] if len(before) < len(self._points) else None


class AtRandom(Search):
    """The untuned values, then points drawn anew, none twice (Bergstra and Bengio 2012)."""

    def point(self, before: Sequence[Tried]) -> Point | None:
        """Draw the next point."""
        if not before and self.space.holds_default:
            return dict(self.space.default)
        known = [one.point for one in before]
        generator = np.random.default_rng([self.seed, len(before)])
        for _ in range(REDRAWN):
            found = self.space.drawn(generator)
            if found not in known:
                return found
        return None


class Estimator(AtRandom):
    """Some points at random, then those that the tree-structured Parzen estimator expects most of (Bergstra et al. 2011), by optuna."""

    looks_back = True

    def point(self, before: Sequence[Tried]) -> Point | None:
        """Ask the estimator, made anew from the tries before."""
        if len(before) < AT_RANDOM or sum(one.score is not None for one in before) < 2:
            return super().point(before)
        import optuna

        known = [one.point for one in before]
        distributions = {name: _distribution(domain) for name, domain in self.space.domains.items()}
        for again in range(8):
            study = _study(optuna.samplers.TPESampler(seed=_mixed(self.seed, len(before), again), n_startup_trials=1))
            for one in before:
                if all(domain.holds(one.point[name]) for name, domain in self.space.domains.items()):
                    _tell(study, one, distributions)
            found = {name: self._written(name, value) for name, value in study.ask(distributions).params.items()}
            if found not in known:
                return found
        return super().point(before)

    def _written(self, name: str, value: Any) -> Any:
        domain = self.space.domains[name]
        return domain.typed(domain.at(domain.share(value))) if isinstance(domain, Span) else value


SEARCHES: Mapping[str, type[Search]] = {"grid": Grid, "random": AtRandom, "tpe": Estimator}
"""By their names in a suite."""


def _mixed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _study(sampler: Any = None, pruner: Any = None) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        direction="maximize", sampler=sampler or optuna.samplers.RandomSampler(seed=0), pruner=pruner
    )


def _distribution(domain: Listed | Span) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Listed):
        return CategoricalDistribution(domain.values)
    if domain.whole:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def _tell(study: Study, one: Tried, distributions: Mapping[str, BaseDistribution]) -> None:
    """Enter a try; one without a score is entered as one that was stopped, which the estimator takes for a bad one."""
    from optuna.trial import TrialState, create_trial

    params = {name: one.point[name] for name in distributions}
    common: dict[str, Any] = {"params": params, "distributions": dict(distributions)}
    if one.score is not None:
        study.add_trial(create_trial(**common, value=one.score))
    else:
        way = dict(enumerate(one.way, 1))
        study.add_trial(create_trial(**common, state=TrialState.PRUNED, intermediate_values=way))


# ---- hopeless tries --------------------------------------------------------------------------------------------------------


def bars(before: Sequence[Tried], validations: int, reduction: int) -> tuple[tuple[int, float], ...]:
    """Give what a further try must reach at its validations to go on: optuna's successive halving, asked before it trains.

    Its pruner is told of the tries before, and then asked of each score they had at a validation whether a try with that score would go
    on; the least one that would is the bar. So a try is judged by itself, in its own process, and by nothing but earlier tries.

    Args:
        before: the tries made.
        validations: how many there are while training; none is stopped at the last.
        reduction: one of so many goes on at each rung, at validations 1, η, η² …
    """
    found: list[tuple[int, float]] = []
    for number in range(1, validations):
        reached = sorted({one.way[number - 1] for one in before if len(one.way) >= number})
        if reached and _is_stopped(before, np.nextafter(reached[0], -np.inf), number, reduction):
            found.append(
                (number, next(value for value in reached if not _is_stopped(before, value, number, reduction)))
            )
    return tuple(found)


def _is_stopped(before: Sequence[Tried], value: float, number: int, reduction: int) -> bool:
    """Ask optuna whether a try would be stopped at validation `number` with this score, having been the best until then."""
    import optuna

    study = _study(pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=reduction))
    for one in before:
        trial = study.ask()
        for place, score in enumerate(one.way, 1):
            trial.report(score, place)
            trial.should_prune()
        study.tell(trial, one.way[-1] if one.way else None, state=None if one.way else optuna.trial.TrialState.FAIL)
    trial = study.ask()
    best = max(score for one in before for score in one.way)
    for place in range(1, number):
        trial.report(best, place)
        trial.should_prune()
    trial.report(float(value), number)
    return bool(trial.should_prune())


# ---- beyond the range --------------------------------------------------------------------------------------------------------


def best_of(tried: Sequence[Tried]) -> Tried | None:
    """Give the try with the best score; of equal ones that with the least loss, then the first. None where none has a score."""
    scored = [
        (one.score, -(one.loss if one.loss is not None else np.inf), -place, one)
        for place, one in enumerate(tried)
        if one.score is not None
    ]
    return max(scored, key=lambda found: found[:3])[3] if scored else None


def edge(tried: Sequence[Tried], space: Space) -> str:
    """Tell at which end of all learning rates, those of the space and those tried beyond it, the best one lies: `low`, `high` or neither.

    Of a range a twentieth of its way counts as its end.
    """
    best = best_of(tried)
    if best is None:
        return ""
    domain, whole = space.domains[RATE], _rates(tried, space)
    share, near = whole.share(best.point[RATE]), _NEAR if isinstance(domain, Span) else 0.0
    if whole.low == whole.high or near < share < 1 - near:
        return ""
    return "low" if share <= near else "high"


def _rates(tried: Sequence[Tried], space: Space) -> Span:
    """Give the range that holds all learning rates of the space, and all that were tried."""
    domain = space.domains[RATE]
    ends = [domain.low, domain.high] if isinstance(domain, Span) else [*domain.values]
    rates = [*ends, *(one.point[RATE] for one in tried)]
    return Span(min(rates), max(rates), log=True)


def beyond(tried: Sequence[Tried], space: Space) -> Point:
    """Give a further point: past the end where the best lies at one, else between the best and the better of its neighbours."""
    best, whole = best_of(tried), _rates(tried, space)
    if best is None:
        return {**space.default, RATE: whole.at(0.5)}
    side, rate = edge(tried, space), best.point[RATE]
    if side:
        return {**best.point, RATE: rounded(whole.low / BEYOND if side == "low" else whole.high * BEYOND)}
    scores: dict[float, float] = {}
    for one in tried:
        if one.point[RATE] != rate:
            scores[one.point[RATE]] = max(
                scores.get(one.point[RATE], -np.inf), -np.inf if one.score is None else one.score
            )
    below, above = ([other for other in scores if (other < rate) == side] for side in (True, False))
    around = [*([max(below)] if below else []), *([min(above)] if above else [])] or [whole.at(0.5)]
    nearest = max(around, key=lambda neighbour: scores.get(neighbour, -np.inf))
    return {**best.point, RATE: rounded((rate * nearest) ** 0.5)}
