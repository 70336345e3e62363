"""What tuning gave a strategy on a backbone and target, and what it took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..formatting import quantity
from ..suite.trial import valued
from .wording import joined, point_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..stats.estimates import Difference, Estimate


@dataclass(frozen=True)
class TuningTrial:
    """One set of values, and how it did."""

    values: Mapping[str, Any]
    """Name → value of all that was tuned."""
    score: float | None
    """On the validation split, the mean over the tuning seeds; None where one of its trials has none."""
    status: str
    """How it ended: `ok`, `skipped` where it was given up, or how the first trial failed."""
    message: str = ""
    """Why it has no score."""


@dataclass(frozen=True)
class Spent:
    """What all tries took together."""

    value: float | None
    """None where `reason` says why."""
    unit: str
    reason: str = ""


@dataclass(frozen=True)
class Tuned:
    """The tuning of one contender."""

    target: str
    """Label of the task or sequence."""
    contender: str
    """Label of the contender."""
    strategy: str
    backbone: str
    search: str
    budget: str
    """What it was given, in words, such as `5 tries`."""
    metric: str
    """The score of the validation split that decided."""
    unit: str
    lower: bool
    """Whether a lower score is better."""
    tries: tuple[TuningTrial, ...]
    """In the order of their learning rates."""
    untuned: Mapping[str, Any]
    """What it has where nothing is tuned."""
    chosen: Mapping[str, Any] | None
    """The values that won; None where no try has a score."""
    best: float | None
    """The score they won with: the best of several, and so too good on average."""
    untuned_score: float | None
    """The same of the untuned values; None where they are not among the tries."""
    median: float | None
    """The score of the median try, those without one counted as the worst; None where it has none."""
    expected: tuple[float, ...]
    """The expected best of 1, 2, … as many tries as have a score; see `ftbench.stats.aggregates`."""
    edge: str
    """At which end of the range the chosen learning rate lies, `low` or `high`; empty where inside."""
    seconds: Spent
    """Wall time."""
    training: float
    """Seconds of training alone."""
    energy: Spent
    money: Spent
    untuned_test: Estimate | None = None
    """The primary score on the test split with the untuned values, over seeds; None where they were not run."""
    tuned_test: Estimate | None = None
    """The same with the chosen ones."""
    change: Difference | None = None
    """Tuned less untuned on the test split, paired over seeds, corrected by Holm over the target's strategies; None where one is missing."""
    test_unit: str = "1"
    """Unit of the primary score."""
    test_lower: bool = False
    """Whether a lower score on the test split is better."""
    flags: tuple[str, ...] = field(default_factory=tuple)
    """What a reader must know of the choice."""

    @property
    def sensitivity(self) -> float | None:
        """How far the median try lies behind the best: what a careless choice costs; None where one has no score."""
        if self.best is None or self.median is None:
            return None
        return self.median - self.best if self.lower else self.best - self.median


def tuning_verdict(found: Sequence[Tuned]) -> tuple[str, ...]:
    """Say of the strategies of one target what tuning changed, for whom, and at what cost."""
    sentences = []
    compared = [one for one in found if one.change is not None]
    for word, verb in (("better", "improved"), ("worse", "harmed")):
        moved = [one for one in compared if one.change is not None and one.change.verdict == word]
        named = [
            f"{one.contender} by {point_interval(one.change.estimate, one.test_unit)}"
            for one in moved
            if one.change is not None
        ]
        if named:
            sentences.append(f"Tuning {verb} {joined(named)} on this test set.")
    open_ones = [
        one.contender for one in compared if one.change is not None and one.change.verdict not in ("better", "worse")
    ]
    if open_ones:
        few = any(one.change is not None and one.change.verdict == "too few seeds" for one in compared)
        sentences.append(f"{'Too few seeds to tell' if few else 'No change was shown'} for {joined(open_ones)}.")
    same = [one.contender for one in found if one.chosen is not None and dict(one.chosen) == dict(one.untuned)]
    if same:
        sentences.append(f"{joined(same)} kept {'its' if len(same) == 1 else 'their'} untuned values.")
    at_edge = [f"{one.contender} ({one.edge})" for one in found if one.edge]
    if at_edge:
        sentences.append(
            f"At the end of the range of learning rates, where a better one may lie beyond: {joined(at_edge)}."
        )
    return (*sentences, *_led(found))


def _led(found: Sequence[Tuned]) -> tuple[str, ...]:
    """Say who had the best mean before and who has it after, where all were run both ways."""
    both = [one for one in found if one.untuned_test and one.tuned_test]
    if len(both) < max(2, len(found)):
        return ()
    sign = -1 if found[0].test_lower else 1
    before = max(both, key=lambda one: sign * one.untuned_test.mean if one.untuned_test else 0.0).contender
    after = max(both, key=lambda one: sign * one.tuned_test.mean if one.tuned_test else 0.0).contender
    if before == after:
        return (f"{after} has the best mean, untuned and tuned.",)
    return (f"Untuned {before} has the best mean, tuned {after}.",)


def tuning_cost(found: Sequence[Tuned]) -> str:
    """Say what the tuning of one target took, all strategies together."""
    count = sum(len(one.tries) for one in found)
    parts = [f"{count} tries", f"{quantity(sum(one.training for one in found), 's')} of training"]
    for what, spent in (
        ("of wall time", [one.seconds for one in found]),
        ("", [one.energy for one in found]),
        ("", [one.money for one in found]),
    ):
        values = [one.value for one in spent if one.value is not None]
        if len(values) == len(found):
            parts.append(" ".join(filter(None, [quantity(sum(values), spent[0].unit), what])))
    return f"It took {joined(parts)}."


def tuning_rows(found: Sequence[Tuned]) -> list[dict[str, Any]]:
    """Give flat rows of what was tuned: each try, what was chosen, and what it took."""
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
            ("tuning_median", one.median, f"{one.metric} of the median try"),
            ("tuning_sensitivity", one.sensitivity, "the best try less the median one"),
        ):
            why = None if value is not None else "no try has it"
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
            how = f"expected best of {count} of {len(one.expected)} tries (Dodge et al. 2019)"
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
                {**common, **total, "reason": spent.reason or None, "method": "all tries together", "scope": "tuning"}
            )
    return rows
