"""A strategy on a backbone, for one target, over its seeds: a row of every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .statistics import Difference, Estimate, paired

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Quantity:
    """One measurement of one contender over its seeds."""

    name: str
    unit: str
    direction: str
    method: str
    estimate: Estimate | None
    """None where no seed has a value."""
    reason: str | None
    """Why there is no value."""
    flags: tuple[str, ...]
    by_seed: Mapping[int, float]
    scope: str = ""
    """What it covers."""
    total: float | None = None
    """The sum over all trials, those that failed too, of what is spent for good; None where one of them was not measured."""


@dataclass(frozen=True)
class LossPoint:
    """The task's training loss at a step, over the seeds that reached it."""

    step: float
    mean: float
    least: float
    most: float


@dataclass(frozen=True)
class Contender:
    """A strategy on a backbone, for one target, over its seeds."""

    label: str
    """The strategy's label; with the backbone's where the target has several."""
    strategy: str
    backbone: str
    statuses: Mapping[str, int]
    """Status → number of seeds."""
    quantities: Mapping[str, Quantity]
    """Name → measurement of the whole trial."""
    by_task: Mapping[str, Mapping[str, Quantity]]
    """Task of a sequence → name → measurement."""
    lr: float | None
    """Learning rate of the last stage."""
    learning: Mapping[str, tuple[LossPoint, ...]]
    """Task → the task's training loss over the steps."""
    confusion: Mapping[str, tuple[tuple[int, ...], ...]]
    """Task → counts, summed over seeds."""
    phases: Mapping[str, Estimate]
    """Phase → seconds."""
    against_baseline: Difference | None = None
    """Paired difference of the primary metric to the baseline."""
    p_adjusted: float | None = None
    """Its p-value, Holm-corrected over the target's comparisons with the baseline."""
    fronts: frozenset[str] = frozenset()
    """Costs on whose Pareto front it stands."""

    @property
    def name(self) -> str:
        """The label."""
        return self.label


def difference(first: Contender, second: Contender, name: str) -> Difference | None:
    """Compare two contenders on the seeds they share; None where they share none."""
    if name not in first.quantities or name not in second.quantities:
        return None
    one, other = first.quantities[name].by_seed, second.quantities[name].by_seed
    shared = sorted(set(one) & set(other))
    lower = first.quantities[name].direction == "lower"
    return paired([one[s] for s in shared], [other[s] for s in shared], lower=lower) if shared else None


def score(contender: Contender, name: str) -> float | None:
    """Give the mean of a measurement; None where it was not taken."""
    found = contender.quantities.get(name)
    return found.estimate.mean if found and found.estimate else None


def gain(contender: Contender, name: str) -> float | None:
    """Give the mean of a measurement, its sign turned where lower is better; None where it was not taken."""
    found = score(contender, name)
    return -found if found is not None and contender.quantities[name].direction == "lower" else found
