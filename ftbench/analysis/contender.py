"""Contenders: a strategy on a backbone in one task column, over its seeds; the rows of every table."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from ..api.strategy import About
from .wording import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..api.catalog import Catalog
    from ..api.strategy import Family
    from ..stats.estimates import Difference, Estimate, Interval
    from ..stats.item_scores import Items


@dataclass(frozen=True)
class Quantity:
    """One measurement of one contender over its seeds."""

    name: str
    unit: str
    direction: str
    method: str
    estimate: Estimate | None
    """None if no seed has a value."""
    reason: str | None
    """Why there is no value."""
    flags: tuple[str, ...]
    by_seed: Mapping[int, float]
    """Seed → value."""
    scope: str = ""
    """What the measurement covers."""
    total: float | None = None
    """Sum over all trials, failed ones included, of consumed resources; None if a trial was not measured."""
    new_items: Interval | None = None
    """95 % interval of the mean over new seeds and new test items; None for measurements that are not scores, and if it
    is unknown, see `unknown`."""
    unknown: str = ""
    """Why the interval on new test items is unknown."""


@dataclass(frozen=True)
class LossPoint:
    """Training loss of the task at a step, over the seeds that reached the step."""

    step: float
    mean: float
    least: float
    most: float
    seconds: float
    """Seconds of training up to the step, mean over those seeds."""


_UNKNOWN: Family = "other"
SignKind = Literal["still falling", "rising", "diverged"]


@dataclass(frozen=True)
class LearningSign:
    """What the curves of one contender on one task show."""

    kind: SignKind
    task: str
    seeds: tuple[int, ...]
    """Seeds that show it."""
    of: int
    """Number of its seeds."""


@dataclass(frozen=True)
class ExploratoryDifference:
    """Exploratory comparison of a secondary measurement with the baseline; not a claim."""

    difference: Difference
    """Contender minus baseline."""
    q: float | None
    """p-value after the correction of Benjamini and Hochberg over all such comparisons of the task column; None if the
    difference has no p-value."""


@dataclass(frozen=True)
class Contender:
    """A strategy on a backbone in one task column, over its seeds."""

    label: str
    """Label of the strategy, followed by that of the backbone if the task column has several."""
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
    """Task → training loss over the steps."""
    confusion: Mapping[str, tuple[tuple[int, ...], ...]]
    """Task → confusion matrix, summed over seeds."""
    phases: Mapping[str, Estimate]
    """Phase → seconds."""
    retention: tuple[tuple[Estimate | None, ...], ...] = ()
    """Sequences only: row i has the primary score of each task after training on task i; None for tasks not yet
    trained."""
    items: Mapping[int, Items] = field(default_factory=dict, repr=False)
    """Seed → per-item scores of the primary score; only seeds for which they are known."""
    unknown_items: str = ""
    """Why the per-item scores of some seed are unknown."""
    against_baseline: Difference | None = None
    """Paired difference of the primary score to the baseline; its verdict is corrected for multiple comparisons."""
    against_by_seed: Mapping[int, float] = field(default_factory=dict)
    """Seed → difference to the baseline."""
    p_adjusted: float | None = None
    """p-value of that difference, Holm-corrected over the comparisons of the task column with the baseline."""
    p_new_items: float | None = None
    """Holm-corrected p-value of the difference on new test items."""
    explored: Mapping[str, ExploratoryDifference] = field(default_factory=dict)
    """Name of each secondary measurement with a direction (`higher` or `lower` is better) → its comparison with the
    baseline."""
    fronts: frozenset[str] = frozenset()
    """Costs for which the contender is on the Pareto front."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Dotted name → value as JSON: settings of backbone, strategy and training (the last stage of a sequence)."""
    use: str = ""
    """Name of the strategy in its plugin, regardless of its label in the suite."""
    front_chances: Mapping[str, float] = field(default_factory=dict)
    """Cost → probability of being on its Pareto front with other seeds, by paired bootstrap; empty with fewer than
    three shared seeds."""

    budget: str = ""
    """Tuning budget, in words; empty if it was not tuned or has nothing to tune."""
    apart: str = ""
    """Why it is not compared with the others; empty if it is."""
    is_reference: bool = False
    """Whether nothing was trained, as for the untrained model: a reference for the others, with no rank."""
    family: Family = "other"
    """Family of the strategy, if a catalog was given."""
    against_interval: Interval | None = None
    """Interval of the difference to the baseline at the level of its corrected verdict; see `Comparison.interval`."""
    signs: tuple[LearningSign, ...] = ()
    """What its learning curves show."""

    @property
    def name(self) -> str:
        """Label of the contender."""
        return self.label


def item_count(contender: Contender, name: str) -> int:
    """Return the number of test items behind a score; 0 if unknown."""
    return next((len(one.values) for one in contender.items.values() if one.metric == name), 0)


def score(contender: Contender, name: str) -> float | None:
    """Return the mean of a measurement; None if it was not measured."""
    found = contender.quantities.get(name)
    return found.estimate.mean if found and found.estimate else None


def gain(contender: Contender, name: str) -> float | None:
    """Return the mean of a measurement, negated if lower is better; None if it was not measured."""
    found = score(contender, name)
    return -found if found is not None and contender.quantities[name].direction == "lower" else found


def with_budgets(contenders: Sequence[Contender], budgets: Mapping[tuple[str, str], str]) -> list[Contender]:
    """Return contenders with their tuning budgets; those without the most common budget are marked as not comparable.

    Args:
        contenders: all contenders of a task column, in the order of the suite.
        budgets: backbone and strategy → budget; contenders without an entry had nothing to tune, and are comparable
            with all.
    """
    budgeted = [
        replace(contender, budget=budgets.get((contender.backbone, contender.strategy), "")) for contender in contenders
    ]
    counts = Counter(contender.budget for contender in budgeted if contender.budget)
    if len(counts) < 2:
        return budgeted
    usual = counts.most_common(1)[0][0]
    return [
        replace(contender, apart=f"tuned with {contender.budget}, the others with {usual}")
        if contender.budget not in ("", usual)
        else contender
        for contender in budgeted
    ]


def not_comparable_sentences(contenders: Sequence[Contender]) -> tuple[str, ...]:
    """Return a sentence for each reason why contenders are not comparable."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for contender in contenders:
        if contender.apart:
            by_reason[contender.apart].append(contender.label)
    return tuple(f"Not comparable: {joined(labels)}, {reason}." for reason, labels in by_reason.items())


def family_of(use: str, settings: Mapping[str, str], catalog: Catalog) -> Family:
    """Return the family of a strategy; that of a combination is the family of its first part that has one.

    Args:
        use: name of the strategy in its plugin.
        settings: dotted name → value as JSON, such as `strategy.rank`.
        catalog: the offers of all plugins.
    """
    options = {
        name.removeprefix("strategy."): json.loads(value)
        for name, value in settings.items()
        if name.startswith("strategy.")
    }
    return _family(use, options, catalog)


def _family(use: object, options: Mapping[str, object], catalog: Catalog) -> Family:
    about = getattr(catalog.offers.get("strategies", {}).get(str(use)), "about", None)
    if not isinstance(about, About):
        return _UNKNOWN
    chosen = next((about.families[v] for v in options.values() if isinstance(v, str) and v in about.families), None)
    if chosen is not None:
        return chosen
    if about.family != _UNKNOWN:
        return about.family
    parts = [one for value in options.values() if isinstance(value, list) for one in value if isinstance(one, dict)]
    found = (_family(part.get("use"), part, catalog) for part in parts)
    return next((family for family in found if family != _UNKNOWN), _UNKNOWN)
