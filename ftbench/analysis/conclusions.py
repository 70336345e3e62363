"""What can be concluded about a target, in sentences."""

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
    """Say who leads and who is told apart from the leader.

    Args:
        contenders: best first.
        primary: the score that ranks.
        comparisons: all pairs, Holm-corrected over all of them: who leads is found in the same data.
        is_sequence: whether forgetting is told too.
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
        seeds = "one seed" if n == 1 else f"{n} seeds"
        first = f"{leader.label} has the {named}, {score_text(quantity.estimate.mean, unit)}; {seeds} cannot say who is better."
        return (first, *(_forgetting(scored) if is_sequence else ()))
    sentences = [f"{leader.label} has the {named}, {share_interval(quantity.estimate, unit)}, over {n} seeds."]
    others = {c.first: c for c in comparisons if c.second == leader.label}
    beaten = [others[c.label] for c in scored[1:] if c.label in others and others[c.label].apart]
    same = [label for label, c in others.items() if c.difference.verdict == "equivalent"]
    few = [
        c.label for c in scored[1:] if c.label not in others or others[c.label].difference.verdict == "too few seeds"
    ]
    tied = [c.label for c in scored[1:] if c.label not in {b.first for b in beaten} | {*same, *few}]
    if tied:
        sentences.append(f"It cannot be told apart from {joined(tied)} on this test set.")
    if same:
        margin = others[same[0]].difference.margin
        within = f"{100 * margin if unit == '1' else margin:g} {step_unit(unit)}"
        sentences.append(f"It is equivalent to {joined(same)} on this test set, within ± {within}.")
    if beaten:
        nearest = min(beaten, key=lambda c: abs(c.difference.estimate.mean))
        span = lead(nearest.difference.estimate, unit)
        sentences.append(
            f"It beats {joined([c.first for c in beaten])} on this test set; nearest of them {nearest.first}, by {span}. {_beyond(beaten)}"
        )
    if few:
        sentences.append(f"Too few seeds are shared with {joined(few)} to say more.")
    if is_sequence:
        sentences.extend(_forgetting(scored))
    return tuple(sentences)


def _beyond(beaten: Sequence[Comparison]) -> str:
    """Say which of these hold on new test items too."""
    unknown = next((c.difference.unknown for c in beaten if c.difference.new_items is None), "")
    if unknown:
        return f"Whether it would on new test items is not known: {unknown}."
    kept = [
        c.first for c in beaten if c.difference.new_items and c.difference.new_items.verdict == c.difference.verdict
    ]
    if not kept:
        return "On new test items that is undecided."
    if len(kept) == len(beaten):
        return "That holds on new test items too."
    return f"On new test items that holds for {joined(kept)} alone."


def _forgetting(scored: Sequence[Contender]) -> list[str]:
    found = [(c, c.quantities["forgetting"]) for c in scored if "forgetting" in c.quantities]
    ordered = sorted(
        ((c.label, q.estimate, q.unit) for c, q in found if q.estimate is not None), key=lambda one: one[1].mean
    )
    if len(ordered) < 2:
        return []
    parts = [f"{label} {point_interval(value, unit)}" for label, value, unit in ordered]
    return [f"Forgetting of the earlier tasks, least first: {joined(parts)}."]
