"""Conclusions about a task column, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stats.estimates import CLAIM
from .contender import score
from .wording import joined, lead, point_interval, score_text, share_interval, step_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..stats.multiplicity import Comparison
    from .contender import Contender


def verdict(
    contenders: Sequence[Contender], primary: str, comparisons: Sequence[Comparison], *, is_sequence: bool
) -> tuple[str, ...]:
    """Return sentences on the leader, and on which contenders differ significantly from it.

    Args:
        contenders: best first.
        primary: the score that ranks.
        comparisons: all pairs, Holm-corrected over all of them, because the same data also pick the leader.
        is_sequence: whether to report forgetting too.
    """
    scored = [c for c in contenders if score(c, primary) is not None]
    if not scored:
        return ("No trial has finished with a score.",)
    leader = scored[0]
    quantity = leader.quantities[primary]
    assert quantity.estimate is not None
    n, unit = quantity.estimate.n, quantity.unit
    named = f"{'lowest' if quantity.direction == 'lower' else 'highest'} mean {primary.replace('_', ' ')}"
    if n < CLAIM:
        mean, seeds = score_text(quantity.estimate.mean, unit), "one seed is" if n == 1 else f"{n} seeds are"
        sentences = [f"{leader.label} has the {named}, {mean}; {seeds} too few to show which is better."]
    else:
        interval = share_interval(quantity.estimate, unit)
        sentences = [
            f"{leader.label} has the {named}, {interval}, over {n} seeds.",
            *_claims([c.label for c in scored], comparisons, unit),
        ]
    return (*sentences, *(_forgetting_sentences(scored) if is_sequence else ()))


def _claims(labels: Sequence[str], comparisons: Sequence[Comparison], unit: str) -> list[str]:
    """Return sentences on how the leader, the first label, compares with the others."""
    sentences = []
    leader, *rest = labels
    others = {c.first: c for c in comparisons if c.second == leader}
    beaten = [others[label] for label in rest if label in others and others[label].apart]
    same = [label for label, c in others.items() if c.difference.verdict == "equivalent"]
    few = [label for label in rest if label not in others or others[label].difference.verdict == "too few seeds"]
    tied = [label for label in rest if label not in {b.first for b in beaten} | {*same, *few}]
    if tied:
        sentences.append(f"It is statistically tied with {joined(tied)} on this test set.")
    if same:
        margin = others[same[0]].difference.margin
        within = f"{100 * margin if unit == '1' else margin:g} {step_unit(unit)}"
        sentences.append(f"It is equivalent to {joined(same)} on this test set, within ± {within}.")
    if beaten:
        nearest = min(beaten, key=lambda c: abs(c.difference.estimate.mean))
        span = lead(nearest.difference.estimate, unit)
        sentences.append(
            f"It beats {joined([c.first for c in beaten])} on this test set; the closest is {nearest.first}, "
            f"by {span}. {_new_items_sentence(beaten)}"
        )
    if few:
        sentences.append(f"It shares too few seeds with {joined(few)} for a verdict.")
    return sentences


def _new_items_sentence(beaten: Sequence[Comparison]) -> str:
    """Return a sentence on which of these differences also hold on new test items."""
    unknown = next((c.difference.unknown for c in beaten if c.difference.new_items is None), "")
    if unknown:
        return f"Whether this also holds on new test items is unknown: {unknown}."
    confirmed = [
        c.first for c in beaten if c.difference.new_items and c.difference.new_items.verdict == c.difference.verdict
    ]
    if not confirmed:
        return "On new test items, this is undecided."
    if len(confirmed) == len(beaten):
        return "This also holds on new test items."
    return f"On new test items, this holds only for {joined(confirmed)}."


def _forgetting_sentences(scored: Sequence[Contender]) -> list[str]:
    found = [(c, c.quantities["forgetting"]) for c in scored if "forgetting" in c.quantities]
    ordered = sorted(
        ((c.label, q.estimate, q.unit) for c, q in found if q.estimate is not None), key=lambda one: one[1].mean
    )
    if len(ordered) < 2:
        return []
    parts = [f"{label} {point_interval(value, unit)}" for label, value, unit in ordered]
    return [f"Forgetting of earlier tasks, least first: {joined(parts)}."]
