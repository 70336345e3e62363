"""Results and costs of tuning a strategy on a backbone and task column, as values, sentences and table rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...formatting import quantity
from ...stats.multiplicity import SIGNIFICANT
from ...suite.trial import valued
from ..wording import joined, point_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...stats.estimates import Difference, Estimate


@dataclass(frozen=True)
class TuningTrial:
    """One set of tuned values, with its score."""

    values: Mapping[str, Any]
    """Name → value of everything that was tuned."""
    score: float | None
    """Score on the validation split, mean over the tuning seeds; None if a seed has no score."""
    status: str
    """`ok`, `skipped` if it was pruned, or the status of the first seed that failed."""
    message: str = ""
    """Why it has no score."""


@dataclass(frozen=True)
class Spent:
    """Total of a cost over all tuning trials."""

    value: float | None
    """None if unknown; see `reason`."""
    unit: str
    reason: str = ""
    """Why the value is unknown."""


@dataclass(frozen=True)
class Tuned:
    """Tuning of one contender."""

    target: str
    """Label of the task column."""
    contender: str
    """Label of the contender."""
    strategy: str
    backbone: str
    search: str
    budget: str
    """Tuning budget, in words."""
    metric: str
    """Validation score that decided."""
    unit: str
    lower: bool
    """Whether a lower score is better."""
    tries: tuple[TuningTrial, ...]
    """In the order of their learning rates."""
    untuned: Mapping[str, Any]
    """Values without tuning."""
    chosen: Mapping[str, Any] | None
    """Best values; None if no tuning trial has a score."""
    best: float | None
    """Validation score of the best values; as the best of several, it is optimistic on average."""
    untuned_score: float | None
    """Validation score of the untuned values; None if they are not among the tuning trials."""
    median: float | None
    """Score of the median tuning trial, those without a score counted as the worst; None if it has no score."""
    expected: tuple[float, ...]
    """Expected best score of 1, 2, … tuning trials, up to the number of those with a score; see
    `ftbench.stats.aggregates`."""
    edge: str
    """End of the search range at which the chosen learning rate is, `low` or `high`; empty if it is inside."""
    seconds: Spent
    """Wall time."""
    training: float
    """Seconds of training only."""
    energy: Spent
    money: Spent
    untuned_test: Estimate | None = None
    """Primary score on the test split with the untuned values, over seeds; None if they were not run."""
    tuned_test: Estimate | None = None
    """Primary score on the test split with the chosen values, over seeds."""
    change: Difference | None = None
    """Tuned minus untuned on the test split, paired over seeds, Holm-corrected over the strategies of the task column;
    None if one of the two is missing."""
    test_unit: str = "1"
    """Unit of the primary score."""
    test_lower: bool = False
    """Whether a lower score on the test split is better."""
    flags: tuple[str, ...] = field(default_factory=tuple)
    """Caveats about the chosen values."""

    @property
    def sensitivity(self) -> float | None:
        """How much worse the median tuning trial is than the best, the cost of a careless choice; None if unknown."""
        if self.best is None or self.median is None:
            return None
        return self.median - self.best if self.lower else self.best - self.median


def tuning_verdict(found: Sequence[Tuned]) -> tuple[str, ...]:
    """Return sentences on which strategies of a task column tuning improved or harmed, and how well it was set up."""
    sentences = []
    changes = [(one, one.change) for one in found if one.change is not None]
    for word, verb in (("better", "improved"), ("worse", "harmed")):
        named = [
            f"{one.contender} by {point_interval(change.estimate, one.test_unit)}"
            for one, change in changes
            if change.verdict == word
        ]
        if named:
            sentences.append(f"Tuning {verb} {joined(named)} on this test set.")
    open_ones = [one.contender for one, change in changes if change.verdict not in SIGNIFICANT]
    if open_ones:
        few = any(change.verdict == "too few seeds" for _, change in changes)
        sentences.append(
            f"{'Too few seeds for a verdict on' if few else 'No change was shown for'} {joined(open_ones)}."
        )
    same = [one.contender for one in found if one.chosen is not None and dict(one.chosen) == dict(one.untuned)]
    if same:
        sentences.append(f"{joined(same)} kept {'its' if len(same) == 1 else 'their'} untuned values.")
    at_edge = [f"{one.contender} ({one.edge})" for one in found if one.edge]
    if at_edge:
        sentences.append(
            f"The best learning rate is at the end of its range, so a better one may be outside: {joined(at_edge)}."
        )
    return (*sentences, *_leader_sentences(found))


def _leader_sentences(found: Sequence[Tuned]) -> tuple[str, ...]:
    """Return a sentence on the leader before and after tuning, if all contenders were run both ways."""
    both = [one for one in found if one.untuned_test and one.tuned_test]
    if len(both) < max(2, len(found)):
        return ()
    sign = -1 if found[0].test_lower else 1
    before = max(both, key=lambda one: sign * one.untuned_test.mean if one.untuned_test else 0.0).contender
    after = max(both, key=lambda one: sign * one.tuned_test.mean if one.tuned_test else 0.0).contender
    if before == after:
        return (f"{after} has the best mean, untuned and tuned.",)
    return (f"Untuned, {before} has the best mean; tuned, {after} does.",)


def tuning_cost(found: Sequence[Tuned]) -> str:
    """Return a sentence on the total cost of tuning all strategies of a task column."""
    trials = sum(len(one.tries) for one in found)
    parts = [
        f"{trials} tuning trial{'' if trials == 1 else 's'}",
        f"{quantity(sum(one.training for one in found), 's')} of training",
    ]
    for what, spent in (
        ("of wall time", [one.seconds for one in found]),
        ("", [one.energy for one in found]),
        ("", [one.money for one in found]),
    ):
        values = [one.value for one in spent if one.value is not None]
        if len(values) == len(found):
            parts.append(" ".join(filter(None, [quantity(sum(values), spent[0].unit), what])))
    return f"Tuning took {joined(parts)}."


def tuning_rows(found: Sequence[Tuned]) -> list[dict[str, Any]]:
    """Return flat rows for each tuning trial, the chosen values and the costs of tuning."""
    rows: list[dict[str, Any]] = []
    for one in found:
        common = {"target": one.target, "backbone": one.backbone, "strategy": one.strategy, "n": 1}
        direction = "lower" if one.lower else "higher"
        score = {"unit": one.unit, "direction": direction, "scope": "validation"}
        for entry in one.tries:
            why = None if entry.score is not None else entry.message or entry.status
            values = {
                "measurement": "tuning_try",
                "mean": entry.score,
                "method": f"{one.metric} with {valued(entry.values)}",
                "reason": why,
            }
            rows.append({**common, **score, **values, "statuses": entry.status})
        chosen = valued(one.chosen) if one.chosen is not None else "no values"
        for name, value, method in (
            ("tuning_best", one.best, f"{one.metric} with {chosen}, the best of {one.budget} by {one.search} search"),
            ("tuning_untuned", one.untuned_score, f"{one.metric} with {valued(one.untuned)}"),
            ("tuning_median", one.median, f"{one.metric} of the median tuning trial"),
            ("tuning_sensitivity", one.sensitivity, "best tuning trial minus the median one"),
        ):
            why = None if value is not None else "no tuning trial has it"
            rows.append(
                {
                    **common,
                    **score,
                    "measurement": name,
                    "mean": value,
                    "method": method,
                    "reason": why,
                    "flags": "; ".join(one.flags),
                }
            )
        for count, value in enumerate(one.expected, 1):
            how = f"expected best of {count} of {len(one.expected)} tuning trials (Dodge et al. 2019)"
            rows.append(
                {**common, **score, "measurement": f"tuning_expected_best_of_{count}", "mean": value, "method": how}
            )
        for name, spent in (
            ("seconds", one.seconds),
            ("training", Spent(one.training, "s")),
            ("energy", one.energy),
            ("cost", one.money),
        ):
            total = {"measurement": f"tuning_{name}", "total": spent.value, "unit": spent.unit, "direction": "lower"}
            rows.append(
                {**common, **total, "reason": spent.reason or None, "method": "all tuning trials", "scope": "tuning"}
            )
    return rows
