"""Ranking of strategies over the tasks of a run, with rank intervals, tests and profiles."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..stats.aggregates import MIN_SEEDS, MIN_TASKS, interquartile_interval, interquartile_mean, profile
from ..stats.best import could_be_best
from ..stats.estimates import ALPHA, Estimate, Interval
from ..stats.multiplicity import adjusted
from ..stats.ranks import Friedman, critical_difference, friedman, rank_draws, ranks, tasks_needed, wilcoxon
from ..stats.ties import tie_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .task_column import TaskColumn

PROFILE_SCORES = tuple(percent / 100 for percent in range(0, 101, 2))
"""Scores at which performance profiles are computed."""


@dataclass(frozen=True)
class Ranked:
    """One strategy of a ranking over tasks."""

    strategy: str
    rank: float
    """Mean rank over the ranked tasks, 1 the best."""
    interval: Interval
    """Interval of the mean rank for new tasks and seeds: hierarchical bootstrap, 10,000 draws."""
    scored: int
    """Number of tasks of the run on which it has scores."""
    interquartile_mean: float | None = None
    """Mean of the middle half of its runs; None if `Ranking.unprofiled` has a reason."""
    interquartile_interval: Interval | None = None
    """95 % interval of the interquartile mean."""
    profile: tuple[float, ...] = ()
    """Share of its runs that score above each of `PROFILE_SCORES`."""


@dataclass(frozen=True)
class Ranking:
    """Strategies ranked on a complete set of tasks and strategies; no score is imputed."""

    entries: tuple[Ranked, ...] = ()
    """Best first; empty if `reason` is set."""
    reason: str = ""
    """Why there is no ranking."""
    tasks: tuple[str, ...] = ()
    """Tasks that the strategies are ranked on."""
    of: int = 0
    """Number of tasks of the run."""
    seeds: Mapping[str, int] = field(default_factory=dict)
    """Task → number of seeds that all ranked strategies share."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Strategy that is not ranked → number of tasks on which it has scores."""
    friedman: Friedman | None = None
    """Test whether ranks differ at all; None for two strategies."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Strategies that are statistically tied (Wilcoxon's test over tasks, Holm-corrected); empty if `undiagrammed` is
    set."""
    critical_difference: float | None = None
    """Nemenyi's critical difference at 5 %; None if `undiagrammed` is set."""
    undiagrammed: str = ""
    """Why these tasks are too few for significant differences between the strategies."""
    unprofiled: str = ""
    """Why there are no interquartile means and profiles."""
    apart: tuple[str, ...] = ()
    """Strategies that are not ranked because they were tuned with another budget."""
    possible: tuple[str, ...] = ()
    """Strategies that could have the best mean score over these tasks, with 95 % confidence, best mean first; empty if
    scores are not on one scale, or a task has several backbones."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Caveats for readers of the ranking, in sentences."""
        if self.reason:
            return (self.reason,)
        found = []
        if self.possible:
            found.append(f"Could be the best on average over these tasks, 95 % sure: {', '.join(self.possible)}.")
        if len(self.tasks) < MIN_TASKS:
            found.append(
                f"Rank intervals over {len(self.tasks)} tasks are too narrow: the actual coverage of a 95 % interval "
                f"is about 85 % for three tasks and 90 % for five."
            )
        if len(self.tasks) < self.of:
            found.append(
                f"Ranked on {len(self.tasks)} of {self.of} tasks: those on which all ranked strategies have scores."
            )
        if self.left_out:
            named = ", ".join(f"{label} ({scored} of {self.of})" for label, scored in self.left_out.items())
            found.append(f"Not ranked, because scores are missing on ranked tasks: {named}.")
        if self.apart:
            found.append(f"Not ranked, because they were tuned with another budget: {', '.join(self.apart)}.")
        if min(self.seeds.values()) == 1:
            found.append("At least one task has only one seed: rank intervals ignore its seed noise.")
        return (*found, *filter(None, (self.undiagrammed, self.unprofiled)))


Runs = dict[tuple[str, int], float]
"""Backbone and seed → score, negated if lower is better."""


def rank_over_tasks(targets: Sequence[TaskColumn]) -> Ranking:
    """Return the ranking of strategies over the tasks of a run, or over its sequences if it has no tasks.

    The score on a task is the mean over its backbones, seed by seed. Strategies and tasks are left out, the one with
    the largest share of missing scores first, until every strategy left has a score on every task left.
    """
    tasks = [target for target in targets if not target.is_sequence] or list(targets)
    runs_of = {target.label: _runs_by_strategy(target) for target in tasks}
    strategies = list(dict.fromkeys(name for runs in runs_of.values() for name in runs))
    labels, names = _without_missing([target.label for target in tasks], strategies, runs_of)
    blocks = {
        label: block
        for label in labels
        if names and (block := _score_block([runs_of[label][name] for name in names])) is not None
    }
    if len(blocks) < 2 or len(names) < 2:
        what = "tasks" if len(blocks) < 2 else "strategies"
        return Ranking(reason=f"No ranking over tasks: it needs two {what} with scores in common.", of=len(tasks))
    scored = {name: sum(name in runs for runs in runs_of.values()) for name in strategies}
    shares = {target.label for target in tasks if _is_share(target)}
    one_scale = shares >= set(blocks)
    ranking = _ranking(blocks, names, scored, of=len(tasks), one_scale=one_scale)
    ranked = [target for target in tasks if target.label in blocks]
    return replace(
        ranking,
        possible=best_on_average(ranked, names) if one_scale else (),
        apart=tuple(dict.fromkeys(c.strategy for target in tasks for c in target.contenders if c.apart)),
    )


def best_on_average(targets: Sequence[TaskColumn], names: Sequence[str]) -> tuple[str, ...]:
    """Return the strategies that could have the best mean score over these tasks, with 95 % confidence (Hsu 1984).

    The difference of two strategies is the mean of their differences on the tasks, whose errors are independent; its
    degrees of freedom are Satterthwaite's.

    Args:
        targets: task columns with scores on one scale, higher is better.
        names: strategies with a score on every task column.

    Returns:
        Best mean first; empty if a pair was not compared on every task column.
    """
    found = [{(c.first, c.second): c.difference.estimate for c in target.comparisons} for target in targets]
    gains: dict[tuple[str, str], Estimate] = {}
    for first, second in itertools.combinations(names, 2):
        parts = [_gain(of_target, first, second) for of_target in found]
        if any(part is None or part.deviation is None for part in parts):
            return ()
        gains[first, second] = _mean_gain([part for part in parts if part is not None])
    runs = [_runs_by_strategy(target) for target in targets]
    means = {name: sum(float(np.mean(list(own[name].values()))) for own in runs) for name in names}
    return could_be_best(sorted(names, key=lambda name: -means[name]), gains)


def _gain(found: Mapping[tuple[str, str], Estimate], first: str, second: str) -> Estimate | None:
    if (first, second) in found:
        return found[first, second]
    other = found.get((second, first))
    return None if other is None else replace(other, mean=-other.mean)


def _mean_gain(parts: Sequence[Estimate]) -> Estimate:
    variances = [(one.error if one.error is not None else (one.deviation or 0.0) / one.n**0.5) ** 2 for one in parts]
    total, count = sum(variances), len(parts)
    weighted = sum(v**2 / (one.n - 1 if one.df is None else one.df) for v, one in zip(variances, parts, strict=True))
    df = total**2 / weighted if weighted else float(sum(one.n - 1 for one in parts))
    error = total**0.5 / count
    n = min(one.n for one in parts)
    return Estimate(sum(one.mean for one in parts) / count, n, None, None, error * n**0.5, error, df)


def _runs_by_strategy(target: TaskColumn) -> dict[str, Runs]:
    found: dict[str, Runs] = defaultdict(dict)
    for contender in target.contenders:
        quantity = None if contender.apart else contender.quantities.get(target.primary)
        for seed, value in quantity.by_seed.items() if quantity else ():
            assert quantity is not None
            found[contender.strategy][contender.backbone, seed] = -value if quantity.direction == "lower" else value
    return found


def _is_share(target: TaskColumn) -> bool:
    return all(
        quantity.unit == "1" and quantity.direction == "higher"
        for contender in target.contenders
        if (quantity := contender.quantities.get(target.primary)) is not None
    )


def _without_missing(
    tasks: list[str], strategies: list[str], runs_of: Mapping[str, Mapping[str, Runs]]
) -> tuple[list[str], list[str]]:
    """Return tasks and strategies without missing scores; see `rank_over_tasks`."""
    while tasks and strategies:
        missing_of = {name: sum(name not in runs_of[task] for task in tasks) / len(tasks) for name in strategies}
        missing_on = {task: sum(name not in runs_of[task] for name in strategies) / len(strategies) for task in tasks}
        strategy, task = max(strategies, key=missing_of.__getitem__), max(tasks, key=missing_on.__getitem__)
        if missing_of[strategy] == 0:
            break
        if missing_of[strategy] >= missing_on[task]:
            strategies = [name for name in strategies if name != strategy]
        else:
            tasks = [one for one in tasks if one != task]
    return tasks, strategies


def _score_block(runs: Sequence[Runs]) -> NDArray[np.float64] | None:
    """Return the scores of one task, shape [seeds that all share, strategies]; None if they share no seed."""
    backbones = sorted(set.intersection(*({backbone for backbone, _ in one} for one in runs)))
    seeds = sorted(
        set.intersection(
            *({seed for b, seed in one if b == backbone} for one in runs for backbone in backbones or [""])
        )
    )
    if not backbones or not seeds:
        return None
    return np.array([[np.mean([one[backbone, seed] for backbone in backbones]) for one in runs] for seed in seeds])


def _ranking(
    blocks: Mapping[str, NDArray[np.float64]],
    names: Sequence[str],
    scored: Mapping[str, int],
    *,
    of: int,
    one_scale: bool,
) -> Ranking:
    means = np.stack([block.mean(0) for block in blocks.values()])
    mean_ranks = ranks(means).mean(0)
    low, high = np.percentile(rank_draws(list(blocks.values())), [2.5, 97.5], axis=0)
    unprofiled = _unprofiled(blocks, one_scale=one_scale)
    fewest = min(len(block) for block in blocks.values())
    runs = np.stack([block[:fewest] for block in blocks.values()], axis=1)
    order = np.argsort(mean_ranks, kind="stable")
    entries = []
    for index in order:
        entry = Ranked(
            names[index],
            float(mean_ranks[index]),
            Interval(float(low[index]), float(high[index])),
            scored[names[index]],
        )
        entries.append(entry if unprofiled else _profiled(entry, runs[:, :, index]))
    k, n = len(names), len(blocks)
    enough_tasks = n >= tasks_needed(k)
    p_values = adjusted(wilcoxon(means)) if enough_tasks else {}
    apart = [(names[a], names[b]) for (a, b), p in p_values.items() if p is not None and p < ALPHA]
    return Ranking(
        entries=tuple(entries),
        tasks=tuple(blocks),
        of=of,
        seeds={label: len(block) for label, block in blocks.items()},
        left_out={name: count for name, count in scored.items() if name not in names},
        friedman=friedman(means) if k > 2 else None,
        groups=tie_groups([entry.strategy for entry in entries], apart) if enough_tasks else (),
        critical_difference=critical_difference(k, n) if enough_tasks else None,
        undiagrammed="" if enough_tasks else _undiagrammed(k, n),
        unprofiled=unprofiled,
    )


def _undiagrammed(k: int, n: int) -> str:
    comparisons = f"{k * (k - 1) // 2} comparison{'s' if k > 2 else ''}"
    return (
        f"{n} tasks are too few to find significant differences between {k} strategies over tasks: even if all tasks "
        f"agreed, no p-value would be below 0.05 after correction for {comparisons}; "
        f"{tasks_needed(k)} tasks are enough."
    )


def _unprofiled(blocks: Mapping[str, NDArray[np.float64]], *, one_scale: bool) -> str:
    fewest = min(len(block) for block in blocks.values())
    if len(blocks) < MIN_TASKS or fewest < MIN_SEEDS:
        return (
            f"Interquartile means and performance profiles need {MIN_TASKS} tasks of {MIN_SEEDS} seeds; "
            f"these are {len(blocks)} of {fewest}."
        )
    if not one_scale:
        return "Interquartile means and performance profiles need scores on one scale, such as accuracies."
    return ""


def _profiled(entry: Ranked, runs: NDArray[np.float64]) -> Ranked:
    return replace(
        entry,
        interquartile_mean=interquartile_mean(runs),
        interquartile_interval=interquartile_interval(runs),
        profile=profile(runs, PROFILE_SCORES),
    )
