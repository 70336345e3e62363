"""Search algorithms: choose the next point of a search space, and compute when a tuning trial is pruned.

Everything depends only on the finished points before it, so an interrupted search resumes to the same result.
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

MAX_DRAWS = 200
"""Number of draws that may repeat an earlier point before the space counts as exhausted."""
RANDOM_POINTS = 4
"""Number of random points, the untuned one included, before the TPE sampler takes over."""
TPE_SEEDS = 8
"""Number of sampler seeds that may propose an earlier point before a random point is drawn instead."""
EXTENSION_FACTOR = 10 ** (1 / 2)
"""Factor by which a search extends the range of learning rates: half a decade."""
_END_SHARE = 0.05
"""Share of a range, on its scale, that counts as its end."""


@dataclass(frozen=True)
class Tried:
    """One point of a search space and its result."""

    point: Point
    score: float | None
    """Validation score, negated if lower is better; None if a trial failed or was pruned."""
    loss: float | None = None
    """Validation loss, which breaks ties between equal scores."""
    curve: tuple[float, ...] = ()
    """The same score at each validation during training."""
    seconds: float = 0.0
    """Training time in seconds."""
    stopped: bool = False
    """Whether it was pruned."""
    lower: bool = False
    """Whether a lower value of the metric is better."""


class Search(ABC):
    """Chooses the points of one search space."""

    uses_scores: ClassVar[bool] = False
    """Whether a point depends on the scores of earlier ones."""

    def __init__(self, space: Space, seed: int, count: int | None) -> None:
        self.space, self.seed, self.count = space, seed, count

    @abstractmethod
    def point(self, before: Sequence[Tried]) -> Point | None:
        """Return the point to try after those in `before`, or None if the space is exhausted."""


class GridSearch(Search):
    """Tries every point of a grid."""

    def __init__(self, space: Space, seed: int, count: int | None) -> None:
        super().__init__(space, seed, count)
        assert count is not None, "a grid has a number of points"
        self._points = space.grid(count)

    def point(self, before: Sequence[Tried]) -> Point | None:
        """Return the next point in grid order."""
        return self._points[len(before)] if len(before) < len(self._points) else None


class RandomSearch(Search):
    """Tries the untuned values, then random points, none of them twice (Bergstra and Bengio 2012)."""

    def point(self, before: Sequence[Tried]) -> Point | None:
        """Draw the next point."""
        if not before and self.space.holds_default:
            return dict(self.space.default)
        known = [one.point for one in before]
        generator = np.random.default_rng([self.seed, len(before)])
        for _ in range(MAX_DRAWS):
            found = self.space.drawn(generator)
            if found not in known:
                return found
        return None


class TPESearch(RandomSearch):
    """Tries random points, then points proposed by optuna's tree-structured Parzen estimator (Bergstra et al. 2011)."""

    uses_scores = True

    def point(self, before: Sequence[Tried]) -> Point | None:
        """Fit the estimator to the earlier points and return its proposal."""
        if len(before) < RANDOM_POINTS or sum(one.score is not None for one in before) < 2:
            return super().point(before)
        import optuna

        known = [one.point for one in before]
        distributions = {name: _distribution(domain) for name, domain in self.space.domains.items()}
        for again in range(TPE_SEEDS):
            seed = _combined_seed(self.seed, len(before), again)
            study = _study(optuna.samplers.TPESampler(seed=seed, n_startup_trials=1))
            for one in before:
                if all(domain.holds(one.point[name]) for name, domain in self.space.domains.items()):
                    _add_trial(study, one, distributions)
            found = {name: self._rounded(name, value) for name, value in study.ask(distributions).params.items()}
            if found not in known:
                return found
        return super().point(before)

    def _rounded(self, name: str, value: Any) -> Any:
        domain = self.space.domains[name]
        return domain.typed(domain.at(domain.share(value))) if isinstance(domain, Span) else value


SEARCHES: Mapping[str, type[Search]] = {"grid": GridSearch, "random": RandomSearch, "tpe": TPESearch}
"""Value of `tuning.search` → search algorithm."""


def _combined_seed(*parts: int) -> int:
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


def _add_trial(study: Study, one: Tried, distributions: Mapping[str, BaseDistribution]) -> None:
    """Add a finished point to a study; without a score it counts as pruned, which the estimator treats as bad."""
    from optuna.trial import TrialState, create_trial

    params = {name: one.point[name] for name in distributions}
    common: dict[str, Any] = {"params": params, "distributions": dict(distributions)}
    if one.score is not None:
        study.add_trial(create_trial(**common, value=one.score))
    else:
        values = dict(enumerate(one.curve, 1))
        study.add_trial(create_trial(**common, state=TrialState.PRUNED, intermediate_values=values))


# ---- pruning -------------------------------------------------------------------------------------------------------


def pruning_thresholds(before: Sequence[Tried], validations: int, reduction: int) -> tuple[tuple[int, float], ...]:
    """Compute the scores below which the next tuning trial is pruned, by optuna's successive halving (Li et al. 2020).

    The thresholds are fixed before the trial trains. For each validation, optuna's pruner sees the earlier trials and
    decides for each of their scores at that validation whether a trial with this score would continue. The threshold is
    the lowest score that would. So a trial can prune itself, in its own process, and depends on earlier trials only.

    Args:
        before: the earlier trials.
        validations: number of validations during training; no trial is pruned at the last one.
        reduction: the reduction factor η; one in η trials continues at each rung, at validations 1, η, η² …

    Returns:
        Number of the validation, from 1, and the lowest score that continues there.
    """
    found: list[tuple[int, float]] = []
    for number in range(1, validations):
        reached = sorted({one.curve[number - 1] for one in before if len(one.curve) >= number})
        if reached and _is_pruned(before, np.nextafter(reached[0], -np.inf), number, reduction):
            found.append((number, next(value for value in reached if not _is_pruned(before, value, number, reduction))))
    return tuple(found)


def _is_pruned(before: Sequence[Tried], value: float, number: int, reduction: int) -> bool:
    """Return whether optuna would prune a trial with this score at validation `number` that was the best before it."""
    import optuna

    study = _study(pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=reduction))
    for one in before:
        trial = study.ask()
        for step, score in enumerate(one.curve, 1):
            trial.report(score, step)
            trial.should_prune()
        study.tell(
            trial, one.curve[-1] if one.curve else None, state=None if one.curve else optuna.trial.TrialState.FAIL
        )
    trial = study.ask()
    best = max(score for one in before for score in one.curve)
    for step in range(1, number):
        trial.report(best, step)
        trial.should_prune()
    trial.report(float(value), number)
    return bool(trial.should_prune())


# ---- extending the range -------------------------------------------------------------------------------------------


def best_of(tried: Sequence[Tried]) -> Tried | None:
    """Return the point with the best score, or None if none has a score.

    The lower loss breaks ties, then the order.
    """
    scored = [
        (one.score, -(one.loss if one.loss is not None else np.inf), -index, one)
        for index, one in enumerate(tried)
        if one.score is not None
    ]
    return max(scored, key=lambda found: found[:3])[3] if scored else None


def edge(tried: Sequence[Tried], space: Space) -> str:
    """Return at which end of the learning rates the best point is: `low`, `high`, or "" for neither.

    The learning rates are those of the space and those tried beyond it. For a range, 5 % of it counts as its end.
    """
    best = best_of(tried)
    if best is None:
        return ""
    domain, whole = space.domains[RATE], _all_rates(tried, space)
    share, near = whole.share(best.point[RATE]), _END_SHARE if isinstance(domain, Span) else 0.0
    if whole.low == whole.high or near < share < 1 - near:
        return ""
    return "low" if share <= near else "high"


def _all_rates(tried: Sequence[Tried], space: Space) -> Span:
    """Return the smallest range that includes all learning rates of the space and all that were tried."""
    domain = space.domains[RATE]
    ends = [domain.low, domain.high] if isinstance(domain, Span) else [*domain.values]
    rates = [*ends, *(one.point[RATE] for one in tried)]
    return Span(min(rates), max(rates), log=True)


def extension_point(tried: Sequence[Tried], space: Space) -> Point:
    """Return one more point to try.

    If the best learning rate is at an end of the range, go beyond that end. Otherwise take the geometric mean of the
    best rate and the better one of its two neighbours. Without any score, take the middle of the range.
    """
    best, whole = best_of(tried), _all_rates(tried, space)
    if best is None:
        return {**space.default, RATE: whole.at(0.5)}
    side, rate = edge(tried, space), best.point[RATE]
    if side:
        extended = whole.low / EXTENSION_FACTOR if side == "low" else whole.high * EXTENSION_FACTOR
        return {**best.point, RATE: rounded(extended)}
    scores: dict[float, float] = {}
    for one in tried:
        if one.point[RATE] != rate:
            score = -np.inf if one.score is None else one.score
            scores[one.point[RATE]] = max(scores.get(one.point[RATE], -np.inf), score)
    below, above = [other for other in scores if other < rate], [other for other in scores if other >= rate]
    neighbours = [*([max(below)] if below else []), *([min(above)] if above else [])] or [whole.at(0.5)]
    nearest = max(neighbours, key=lambda neighbour: scores.get(neighbour, -np.inf))
    return {**best.point, RATE: rounded((rate * nearest) ** 0.5)}
