"""The answer for a task column: which contenders could be the best, which of them to take, and what would decide."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, get_args

from ..formatting import quantity as quantity_text
from ..stats.best import could_be_best, seeds_to_decide
from ..stats.estimates import ALPHA, CLAIM, one_sided_p
from ..stats.intervals import interval_of
from ..stats.multiplicity import SIGNIFICANT
from ..suite.suite import Preference
from .contender import gain, item_count, score
from .differences import differences, range_of_quantity
from .wording import joined, lead, point_interval, score_text, share_interval, step_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..stats.estimates import Estimate, Interval
    from ..stats.moderation import PairedFamily
    from ..stats.multiplicity import Comparison
    from .contender import Contender, Quantity

PREFERENCES: tuple[Preference, ...] = get_args(Preference)
COSTS: Mapping[Preference, tuple[str, ...]] = {
    "memory": ("peak_allocated_memory", "peak_tensor_bytes", "peak_device_memory", "peak_host_memory"),
    "time": ("charged_train_time", "charged_time", "wall_time"),
    "parameters": ("trainable_parameters",),
    "price": ("cost",),
}
"""Measurements of each kind of cost, the most informative first; the first that was measured counts."""
SLACK = 0.1
"""Costs within ten per cent of the least one count as equal."""
SCATTERS, SCATTERS_P = 2.0, 0.01
"""A contender is named as noisy if its standard deviation is twice that of the others, with a p-value below this."""
COLLAPSED = 6.0
"""A seed collapsed if its score is this many standard deviations of a typical contender below its other seeds."""
ONLY_ONE = "It is the only one with a score."
_NAMED = 3
"""Number of names in a sentence before the rest is counted."""


@dataclass(frozen=True)
class Answer:
    """Which contenders of a task column could be the best, and the one to take."""

    pick: str = ""
    """Label of the contender to take; empty if none has a score."""
    leader: str = ""
    """Label of the contender with the best mean."""
    possible: tuple[str, ...] = ()
    """Contenders that could be the best, with 95 % confidence, best mean first."""
    worse: tuple[str, ...] = ()
    """Contenders that are worse than another, best mean first."""
    unjudged: tuple[str, ...] = ()
    """Contenders with too few seeds in common with the others, although these have enough."""
    decided: bool = False
    """Whether there are enough seeds for verdicts at all."""
    prefer: Preference = "memory"
    """Kind of cost that chooses among those that could be the best."""
    cost: str = ""
    """Measurement of that cost; empty if none was measured."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Simultaneous 95 % intervals of the scores of those that could be the best: they hold although the data picked
    the leader."""
    seeds: int | None = None
    """Number of seeds that would leave one contender, if differences stay as observed; None if no number up to 100
    would, or one is left."""
    scatter: Mapping[str, float] = field(default_factory=dict)
    """Contender that scatters more than the others → its standard deviation in those of the others."""
    collapsed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Contender → seeds with a score far below its other seeds."""
    reference: str = ""
    """Label of the reference, such as the untrained model; empty if there is none."""
    below_reference: tuple[str, ...] = ()
    """Contenders that were not shown to beat the reference."""
    sentences: tuple[str, ...] = ()
    """The answer in words, the most important first."""


def answer_of(
    contenders: Sequence[Contender],
    references: Sequence[Contender],
    comparisons: Sequence[Comparison],
    family: PairedFamily | None,
    primary: str,
    *,
    prefer: Preference = "memory",
    baseline: str | None = None,
) -> Answer:
    """Return the answer for contenders that are comparable.

    Of those that could be the best (Hsu 1984), those within 10 % of the least cost are equally cheap; of these, the one
    with the best mean is the pick.

    Args:
        contenders: best mean first; references and contenders with other budgets left out.
        references: references of the task column.
        comparisons: all pairs of contenders, the first with the worse mean.
        family: the moderated differences behind them; None without a pair.
        primary: the score that decides.
        prefer: kind of cost that chooses among those that could be the best.
        baseline: label of the contender whose cost others are compared with.
    """
    scored = [c for c in contenders if score(c, primary) is not None]
    if not scored:
        return Answer(sentences=("No trial has finished with a score.",))
    labels, lower = [c.label for c in scored], scored[0].quantities[primary].direction == "lower"
    gains = {
        (one.first, one.second): replace(one.difference.estimate, mean=-one.difference.estimate.mean)
        if lower
        else one.difference.estimate
        for one in comparisons
    }
    judged = {label for pair, one in gains.items() if one.claimable for label in pair}
    decided, unjudged = bool(judged), tuple(label for label in labels if judged and label not in judged)
    labels = [label for label in labels if label not in unjudged]
    possible = could_be_best(labels, gains)
    by_label = {c.label: c for c in scored}
    reference, below = _against_references(scored, references, primary)
    pick, cost = choose([by_label[label] for label in possible], primary, prefer)
    found = Answer(
        pick=pick if decided or len(scored) == 1 else labels[0],
        leader=labels[0],
        possible=possible,
        worse=tuple(label for label in labels if label not in possible),
        unjudged=unjudged,
        decided=decided,
        prefer=prefer,
        cost=cost,
        intervals=_simultaneous(possible, by_label, primary),
        seeds=_deciding_seeds(possible, labels[0], gains, len(labels) - 1) if decided else None,
        scatter=_scattering(scored, family),
        collapsed=_collapsed(scored, family, primary),
        reference=reference,
        below_reference=below,
    )
    words = _sentences(found, by_label, references, comparisons, primary=primary, baseline=baseline)
    return replace(found, sentences=tuple(words))


def choose(possible: Sequence[Contender], primary: str, prefer: Preference) -> tuple[str, str]:
    """Return the label of the pick among those that could be the best, and the measurement of its cost.

    Args:
        possible: best mean first.
        primary: the score that decides among equally cheap ones.
        prefer: kind of cost.
    """
    if not possible:
        return "", ""
    name = next((name for name in COSTS[prefer] if any(score(c, name) is not None for c in possible)), "")
    costs = {c.label: found for c in possible if name and (found := score(c, name)) is not None}
    if not costs:
        return possible[0].label, ""
    least = min(costs.values())
    cheap = [c for c in possible if c.label in costs and costs[c.label] <= least + SLACK * abs(least)]
    return max(cheap, key=lambda c: gain(c, primary) or 0.0).label, name


def _simultaneous(possible: Sequence[str], contenders: Mapping[str, Contender], primary: str) -> dict[str, Interval]:
    """Return intervals that all hold at once (Šidák 1967), so that choosing one of them by its mean does no harm."""
    alpha = 1 - (1 - ALPHA) ** (1 / max(len(possible), 1))
    found = {}
    for label in possible:
        quantity = contenders[label].quantities[primary]
        assert quantity.estimate is not None
        items = item_count(contenders[label], primary)
        interval = interval_of(quantity.estimate, range_of_quantity(quantity), items=items, alpha=alpha)
        if interval is not None:
            found[label] = interval
    return found


def _deciding_seeds(
    possible: Sequence[str], leader: str, gains: Mapping[tuple[str, str], Estimate], others: int
) -> int | None:
    leads = [gains.get((label, leader)) for label in possible if label != leader]
    if not leads or None in leads:
        return None
    return seeds_to_decide([one for one in leads if one is not None], others)


def _scattering(scored: Sequence[Contender], family: PairedFamily | None) -> dict[str, float]:
    if family is None:
        return {}
    return {
        c.label: float(times)
        for c, times, p in zip(scored, family.scatter, family.scatter_p, strict=False)
        if times >= SCATTERS and p < SCATTERS_P
    }


def _collapsed(scored: Sequence[Contender], family: PairedFamily | None, primary: str) -> dict[str, tuple[int, ...]]:
    """Return seeds whose score is far below the contender's other seeds, by the noise of a typical pair."""
    from statistics import median

    if family is None or not family.prior.df or not math.isfinite(family.prior.variance):
        return {}
    typical = math.sqrt(family.prior.variance / 2)
    found = {}
    for c in scored:
        sign = -1 if c.quantities[primary].direction == "lower" else 1
        values = {seed: sign * value for seed, value in c.quantities[primary].by_seed.items()}
        if len(values) >= CLAIM:
            middle = median(values.values())
            far = tuple(seed for seed, value in sorted(values.items()) if middle - value > COLLAPSED * typical)
            if far and len(far) < len(values) / 2:
                found[c.label] = far
    return found


def _against_references(
    scored: Sequence[Contender], references: Sequence[Contender], primary: str
) -> tuple[str, tuple[str, ...]]:
    """Compare all contenders with the reference on their backbone, each by its own variance.

    That all of them beat it is shown if every single one-sided test is significant (intersection-union test, Berger
    1982): no correction is needed. Returns the label of the reference and those that were not shown to beat it.
    """
    known = {c.backbone: c for c in references if score(c, primary) is not None}
    pairs = [(known[c.backbone], c) for c in scored if c.backbone in known]
    if not pairs:
        return "", ()
    sign = -1 if scored[0].quantities[primary].direction == "lower" else 1
    below = []
    for (_, contender), found in zip(pairs, differences(pairs, primary, among=scored), strict=True):
        p = one_sided_p(replace(found.estimate, mean=sign * found.estimate.mean)) if found else None
        if p is None or p >= ALPHA:
            below.append(contender.label)
    return pairs[0][0].label, tuple(below)


# ---- words ---------------------------------------------------------------------------------------------------------


def _sentences(
    found: Answer,
    contenders: Mapping[str, Contender],
    references: Sequence[Contender],
    comparisons: Sequence[Comparison],
    *,
    primary: str,
    baseline: str | None,
) -> list[str]:
    pick = contenders[found.pick].quantities[primary]
    assert pick.estimate is not None
    named = primary.replace("_", " ")
    if not found.decided and len(contenders) > 1:
        seeds = "one seed" if pick.estimate.n == 1 else f"{pick.estimate.n} seeds"
        way = "lowest" if pick.direction == "lower" else "highest"
        unclear = f"{seeds} cannot show which is better; {CLAIM} can"
        sentences = [f"{found.pick} has the {way} {named}, {_with_interval(found, pick)}: {unclear}."]
    else:
        sentences = [
            f"Take {found.pick}: {named} {_with_interval(found, pick)}{_cost_text(found, contenders, baseline)}.",
            *_set_sentences(found, len(contenders), comparisons, pick.unit),
        ]
    sentences += _reference_sentences(found, contenders, references, primary)
    if found.unjudged:
        sentences.append(f"Too few seeds to judge {counted(found.unjudged)}.")
    sentences += [
        f"{label} scatters {times:.0f} × as much as the others: its seeds matter more than its mean."
        for label, times in found.scatter.items()
    ]
    sentences += [
        f"{label} collapsed on {'seed' if len(seeds) == 1 else 'seeds'} {joined([str(seed) for seed in seeds])}."
        for label, seeds in found.collapsed.items()
    ]
    return sentences


def _with_interval(found: Answer, quantity: Quantity) -> str:
    estimate, interval = quantity.estimate, found.intervals.get(found.pick)
    assert estimate is not None
    if interval is not None:
        estimate = replace(estimate, low=interval.low, high=interval.high)
    return share_interval(estimate, quantity.unit)


def _cost_text(found: Answer, contenders: Mapping[str, Contender], baseline: str | None) -> str:
    spent = contenders[found.pick].quantities.get(found.cost)
    if spent is None or spent.estimate is None:
        return ""
    text = f", {quantity_text(spent.estimate.mean, spent.unit)} of {_COST_WORDS[found.prefer]}"
    reference = score(contenders[baseline], found.cost) if baseline is not None and baseline in contenders else None
    if reference and baseline != found.pick:
        ratio = f"{spent.estimate.mean / reference:.2g}"
        text += f" (as much as {baseline})" if ratio == "1" else f" ({ratio} × {baseline})"
    return text


_COST_WORDS: Mapping[Preference, str] = {
    "memory": "memory",
    "time": "training",
    "parameters": "trained weights",
    "price": "cost",
}


def _set_sentences(found: Answer, count: int, comparisons: Sequence[Comparison], unit: str) -> list[str]:
    if count == 1:
        return [ONLY_ONE]
    others = [label for label in found.possible if label != found.pick]
    if not others:
        return ["It is the only one that could be the best, 95 % sure.", *_worse_sentences(found, comparisons, unit)]
    sentences = [f"Could be the best, 95 % sure: {counted(found.possible)}."]
    if found.cost:
        sentences.append(f"Cheapest of them, by {_COST_WORDS[found.prefer]}: {found.pick}.")
    same = [
        (one.first if one.second == found.pick else one.second, one.difference.margin)
        for one in comparisons
        if found.pick in (one.first, one.second) and one.difference.verdict == "equivalent"
    ]
    if same:
        within = f"{100 * same[0][1] if unit == '1' else same[0][1]:g} {step_unit(unit)}"
        sentences.append(f"{found.pick} is equivalent to {counted([label for label, _ in same])}, within ± {within}.")
    sentences += _worse_sentences(found, comparisons, unit)
    seeds = f"About {found.seeds} seeds" if found.seeds else "No number of seeds up to 100"
    return [*sentences, f"{seeds} would leave one, at the differences seen."]


def _worse_sentences(found: Answer, comparisons: Sequence[Comparison], unit: str) -> list[str]:
    if not found.worse:
        return []
    nearest, behind = found.worse[0], {one.first: one for one in comparisons if one.second == found.leader}
    distance = f", by {lead(behind[nearest].difference.estimate, unit)}" if nearest in behind else ""
    if len(found.worse) == 1:
        sentence = f"{nearest} is worse than {found.leader}{distance}."
    else:
        names = joined(found.worse) if len(found.worse) <= _NAMED else str(len(found.worse))
        sentence = f"{names} are worse; {nearest} is the closest to {found.leader}{distance}."
    return [sentence, *_new_items_sentences([behind[label] for label in found.worse if label in behind])]


def _new_items_sentences(beaten: Sequence[Comparison]) -> list[str]:
    """Return a sentence on how many of these differences also hold on new test items."""
    known = [one.difference.new_items for one in beaten if one.difference.new_items is not None]
    if not beaten or len(known) < len(beaten):
        return []
    holds = sum(found.verdict in SIGNIFICANT for found in known)
    if holds == len(known):
        return ["This also holds on new test items."]
    if len(known) == 1:
        return ["On new test items this is not shown."]
    return [f"On new test items this is shown for {holds or 'none'} of {len(known)}."]


def counted(labels: Sequence[str]) -> str:
    """Return names as a list, the first three of more than five, followed by the number of the others."""
    if len(labels) <= 5:
        return joined(labels)
    return f"{', '.join(labels[:_NAMED])} and {len(labels) - _NAMED} more"


def _reference_sentences(
    found: Answer, contenders: Mapping[str, Contender], references: Sequence[Contender], primary: str
) -> list[str]:
    reference = next((c for c in references if c.label == found.reference), None)
    if reference is None:
        return []
    level = score(reference, primary)
    assert level is not None
    unit = reference.quantities[primary].unit
    text, below = f"the untrained model ({score_text(level, unit)})", set(found.below_reference)
    number = len(contenders)
    if not below:
        beats = "It beats" if number == 1 else "Both beat" if number == 2 else f"All {number} beat"
        return [f"{beats} {text}."]
    if not found.decided:
        return [f"For reference, {text}."]
    lost = [
        label
        for label in found.below_reference
        if (gain(contenders[label], primary) or 0.0) <= (gain(reference, primary) or 0.0)
    ]
    unsure = [label for label in found.below_reference if label not in lost]
    sentences = (
        [f"{counted(lost)} {'does' if len(lost) == 1 else 'do'} not beat {text}: something is wrong."] if lost else []
    )
    if unsure:
        sentences.append(f"Not shown to beat {text}: {counted(unsure)}.")
    return sentences


def forgetting_sentences(scored: Sequence[Contender]) -> list[str]:
    """Return a sentence on which contenders forget the least of earlier tasks."""
    found = [(c, c.quantities["forgetting"]) for c in scored if "forgetting" in c.quantities]
    ordered = sorted(
        ((c.label, q.estimate, q.unit) for c, q in found if q.estimate is not None), key=lambda one: one[1].mean
    )
    if len(ordered) < 2:
        return []
    parts = [f"{label} {point_interval(value, unit)}" for label, value, unit in ordered]
    return [f"Forgetting of earlier tasks, least first: {joined(parts)}."]
