"""Judge the scores of a run against those of its baseline, each alone and all strategies together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from ..analysis.together import place_of_all
from ..stats.estimates import CLAIM, Estimate, estimate, paired_differences
from ..stats.multiplicity import adjusted
from ..stats.noninferiority import loss_p, moderated, said
from ..stats.pooled import Cell, pool
from .checks import Check
from .formats import count_text, difference_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..analysis.metric_tiers import Tier
    from ..records.record_set import Place
    from ..suite.suite import Gate

_NO_GAINS = Estimate(0.0, 0, None, None, None)


@dataclass(frozen=True)
class Sample:
    """A score or size of one configuration over its pairs of trials."""

    place: Place
    metric: str
    unit: str
    margin: float
    seeds: tuple[int, ...]
    step: float
    """Smallest possible change of the score; 0 if unknown."""
    base: tuple[float, ...] = ()
    """Value of the baseline on each seed."""
    head: tuple[float, ...] = ()
    """Value of the run on each seed."""
    by_seed: tuple[float, ...] = ()
    """Head minus base (minus an accepted change) on each seed, with the sign chosen so that more is better."""
    gains: Estimate = _NO_GAINS
    """Estimate of these gains."""
    reason: str = ""
    """Why the baseline was adjusted; empty if it was not."""
    lower: bool = False
    """Whether lower values are better."""
    repeated: bool = False
    """Whether the trainings of head and base were bit-identical, so that the score has no noise."""
    learns: bool = True
    """Whether the strategy trains anything."""

    def measured(self, base: Sequence[float], head: Sequence[float], shift: float) -> Sample:
        """Return the sample with its values, and the gains that follow from them.

        Args:
            base: values of the baseline, one per seed.
            head: values of the run.
            shift: accepted change of the baseline.
        """
        sign = -1 if self.lower else 1
        gains = (sign * (paired_differences(base, head) - shift)).tolist()
        return replace(self, base=tuple(base), head=tuple(head), by_seed=tuple(gains), gains=estimate(gains))


def judge_scores(samples: Sequence[Sample], gate: Gate) -> Iterator[Check]:
    """Judge all scores together, Holm-corrected, with an equal share of α for each look.

    The variances of one score inform each other over all configurations; see `ftbench.stats.noninferiority`. The mean
    change of a score over all strategies is one more hypothesis of the correction: a small loss that all of them share
    is in no single one significant.
    """
    level = gate.alpha / len(gate.looks)
    metrics: dict[str, list[int]] = defaultdict(list)
    for number, sample in enumerate(samples):
        metrics[sample.metric].append(number)
    found = list(samples)
    for numbers in metrics.values():
        steps = [0.0 if samples[one].repeated else samples[one].step for one in numbers]
        for number, gains in zip(numbers, moderated([samples[one].gains for one in numbers], steps), strict=True):
            found[number] = replace(samples[number], gains=gains)
    together = {
        metric: (members, pooled)
        for metric, numbers in metrics.items()
        if (members := [found[one] for one in numbers if found[one].learns and not found[one].repeated])
        and (pooled := _pooled(members)) is not None
    }
    raw: dict[int | str, float | None] = {number: loss_p(sample.gains) for number, sample in enumerate(found)}
    corrected = adjusted(raw | {metric: loss_p(pooled.gains) for metric, (_, pooled) in together.items()})
    for number, sample in enumerate(found):
        yield judge(sample, corrected[number], level, tier="quality")
    for metric, (members, pooled) in together.items():
        yield _judge_together(members, pooled, corrected[metric], level)


def judge(sample: Sample, p: float | None, level: float, tier: Tier) -> Check:
    """Return the check of one score or size.

    Args:
        sample: its values.
        p: p-value of a loss, corrected if there are several scores.
        level: level of this look.
        tier: tier of the check.
    """
    n = sample.gains.n
    message = _message(sample, fmean(sample.base), fmean(sample.head), p)
    verdict = said(sample.gains, p, sample.margin, level)
    if sample.repeated:
        verdict, message = "ok", f"{message}; the trainings are identical"
    elif n < CLAIM:
        message = f"{message}; a verdict needs at least {CLAIM}"
    return Check(verdict, sample.place, sample.metric, tier, message, "", sample.seeds, sample.base, sample.head)


def _message(sample: Sample, before: float, after: float, p: float | None, over: str = "") -> str:
    message = difference_text(
        sample.gains, before, after, sample.unit, margin=sample.margin, p=p, lower=sample.lower, over=over
    )
    return f"{message}; the baseline is adjusted, accepted: {sample.reason}" if sample.reason else message


def _pooled(members: Sequence[Sample]) -> Sample | None:
    """Return the mean of several samples as one; None if they are too few."""
    cells = [Cell(one.place.target, dict(zip(one.seeds, one.by_seed, strict=True)), one.step) for one in members]
    gains = pool(cells)
    if gains is None:
        return None
    place = place_of_all([one.place for one in members])
    reasons = list(dict.fromkeys(one.reason for one in members if one.reason))
    base, head = ((fmean(getattr(one, side)) for one in members) for side in ("base", "head"))
    return replace(
        members[0], place=place, seeds=(), gains=gains, base=tuple(base), head=tuple(head), reason="; ".join(reasons)
    )


def _judge_together(members: Sequence[Sample], pooled: Sample, p: float | None, level: float) -> Check:
    seeds = sorted({seed for one in members for seed in one.seeds})
    over = f"{count_text(len(members), 'configuration')} × {count_text(len(seeds), 'seed')}"
    message = _message(pooled, fmean(pooled.base), fmean(pooled.head), p, over)
    if len(seeds) == 1:
        message += "; with one seed, noise that all of them share does not show"
    verdict = said(pooled.gains, p, pooled.margin, level)
    return Check(
        verdict,
        pooled.place,
        pooled.metric,
        "quality",
        message,
        members=tuple(one.place for one in members),
    )
