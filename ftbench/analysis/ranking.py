"""Strategies over the tasks of a run: ranked on what all of them have, with what can be said of the ranks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..stats.aggregates import SEEDS, TASKS, interquartile_interval, interquartile_mean, profile
from ..stats.estimates import ALPHA, Interval
from ..stats.multiplicity import adjusted
from ..stats.ranks import Friedman, critical_difference, friedman, rank_draws, ranks, tasks_needed, wilcoxon
from ..stats.ties import tie_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .task_column import TaskColumn

PROFILED = tuple(place / 100 for place in range(0, 101, 2))
"""Scores at which performance profiles are given."""


@dataclass(frozen=True)
class Ranked:
    """A strategy among the others, over tasks."""

    strategy: str
    rank: float
    """Mean rank over the ranked tasks, 1 the best."""
    interval: Interval
    """Of the mean rank, with other tasks and other seeds: hierarchical bootstrap, 10,000 draws."""
    scored: int
    """Tasks it has scores on, of all tasks of the run."""
    interquartile_mean: float | None = None
    """Mean of the middle half of its runs; None where `unprofiled` says why."""
    interquartile_interval: Interval | None = None
    profile: tuple[float, ...] = ()
    """Share of its runs that score above each of `PROFILED`."""


@dataclass(frozen=True)
class Ranking:
    """Strategies over tasks: ranked on the largest set that is complete, nothing imputed."""

    entries: tuple[Ranked, ...] = ()
    """Best first; empty where `reason` says why."""
    reason: str = ""
    """Why there is no ranking."""
    tasks: tuple[str, ...] = ()
    """The tasks they are ranked on."""
    of: int = 0
    """Tasks of the run."""
    seeds: Mapping[str, int] = field(default_factory=dict)
    """Task → seeds that all ranked strategies share."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Strategy that is not ranked → tasks it has scores on."""
    friedman: Friedman | None = None
    """Whether ranks differ at all; None for two strategies."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Strategies that Wilcoxon's test over tasks, Holm-corrected, does not tell apart; empty where `undiagrammed` says why."""
    critical_difference: float | None = None
    """Nemenyi's at 5 %; None where `undiagrammed` says why."""
    undiagrammed: str = ""
    """Why so many tasks cannot tell these strategies apart."""
    unprofiled: str = ""
    """Why there are no interquartile means and profiles."""
    apart: tuple[str, ...] = ()
    """Strategies that are not ranked because they were tuned with another budget."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know of it, in sentences."""
        if self.reason:
            return (self.reason,)
        found = []
        if len(self.tasks) < TASKS:
            found.append(
                f"Rank intervals over {len(self.tasks)} tasks are too narrow: where they say 95 %, they cover about 85 % at three tasks and "
                f"90 % at five."
            )
        if len(self.tasks) < self.of:
            found.append(
                f"Ranked on {len(self.tasks)} of {self.of} tasks, those on which all ranked strategies have scores."
            )
        if self.left_out:
            named = ", ".join(f"{label} ({scored} of {self.of})" for label, scored in self.left_out.items())
            found.append(f"Not ranked, for want of scores on the others' tasks: {named}.")
        if self.apart:
            found.append(
                f"Not ranked, for they were tuned with another budget than the others: {', '.join(self.apart)}."
            )
        if min(self.seeds.values()) == 1:
            found.append("One task or more has one seed alone: rank intervals leave the noise of seeds out there.")
        return (*found, *filter(None, (self.undiagrammed, self.unprofiled)))


Runs = dict[tuple[str, int], float]
"""Backbone and seed → score, its sign turned where lower is better."""


def rank_over_tasks(targets: Sequence[TaskColumn]) -> Ranking:
    """Rank strategies over the tasks of a run; over its sequences where it has no tasks.

    A task's score is the mean over its backbones, seed by seed. Strategies and tasks are left out, the one with the largest share of
    missing scores first, until everyone left has scores everywhere.
    """
    tasks = [target for target in targets if not target.is_sequence] or list(targets)
    cells = {target.label: _runs(target) for target in tasks}
    strategies = list(dict.fromkeys(name for runs in cells.values() for name in runs))
    labels, names = _complete([target.label for target in tasks], strategies, cells)
    blocks = {
        label: block
        for label in labels
        if names and (block := _block([cells[label][name] for name in names])) is not None
    }
    if len(blocks) < 2 or len(names) < 2:
        what = "tasks" if len(blocks) < 2 else "strategies"
        return Ranking(reason=f"No ranking over tasks: it needs two {what} that have scores in common.", of=len(tasks))
    scored = {name: sum(name in runs for runs in cells.values()) for name in strategies}
    shares = {target.label for target in tasks if _is_share(target)}
    ranking = _ranking(blocks, names, scored, of=len(tasks), one_scale=shares >= set(blocks))
    return replace(
        ranking, apart=tuple(dict.fromkeys(c.strategy for target in tasks for c in target.contenders if c.apart))
    )


def _runs(target: TaskColumn) -> dict[str, Runs]:
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


def _complete(
    tasks: list[str], strategies: list[str], cells: Mapping[str, Mapping[str, Runs]]
) -> tuple[list[str], list[str]]:
    while tasks and strategies:
        by_strategy = {name: sum(name not in cells[task] for task in tasks) / len(tasks) for name in strategies}
        by_task = {task: sum(name not in cells[task] for name in strategies) / len(strategies) for task in tasks}
        worst, poorest = max(strategies, key=by_strategy.__getitem__), max(tasks, key=by_task.__getitem__)
        if by_strategy[worst] == 0:
            break
        if by_strategy[worst] >= by_task[poorest]:
            strategies = [name for name in strategies if name != worst]
        else:
            tasks = [task for task in tasks if task != poorest]
    return tasks, strategies


def _block(runs: Sequence[Runs]) -> NDArray[np.float64] | None:
    """Give the scores of one task, [seeds that all share, strategies]; None where they share none."""
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
    for place in order:
        entry = Ranked(
            names[place],
            float(mean_ranks[place]),
            Interval(float(low[place]), float(high[place])),
            scored[names[place]],
        )
        entries.append(entry if unprofiled else _profiled(entry, runs[:, :, place]))
    k, n = len(names), len(blocks)
    needed = tasks_needed(k)
    speaks = n >= needed
    p_values = adjusted(wilcoxon(means)) if speaks else {}
    apart = [(names[a], names[b]) for (a, b), p in p_values.items() if p is not None and p < ALPHA]
    return Ranking(
        entries=tuple(entries),
        tasks=tuple(blocks),
        of=of,
        seeds={label: len(block) for label, block in blocks.items()},
        left_out={name: count for name, count in scored.items() if name not in names},
        friedman=friedman(means) if k > 2 else None,
        groups=tie_groups([entry.strategy for entry in entries], apart) if speaks else (),
        critical_difference=critical_difference(k, n) if speaks else None,
        undiagrammed=""
        if speaks
        else f"{n} tasks cannot tell {k} strategies apart over tasks: even if all agreed, no p-value would be below 0.05 after correction "
        f"for {k * (k - 1) // 2} comparison{'s' if k > 2 else ''}; {needed} tasks could.",
        unprofiled=unprofiled,
    )


def _unprofiled(blocks: Mapping[str, NDArray[np.float64]], *, one_scale: bool) -> str:
    fewest = min(len(block) for block in blocks.values())
    if len(blocks) < TASKS or fewest < SEEDS:
        return f"Interquartile means and performance profiles need {TASKS} tasks of {SEEDS} seeds; these are {len(blocks)} of {fewest}."
    if not one_scale:
        return "Interquartile means and performance profiles need scores on one scale, shares of right answers."
    return ""


def _profiled(entry: Ranked, runs: NDArray[np.float64]) -> Ranked:
    return replace(
        entry,
        interquartile_mean=interquartile_mean(runs),
        interquartile_interval=interquartile_interval(runs),
        profile=profile(runs, PROFILED),
    )
