"""What can be concluded about a target, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .contender import difference, score
from .multiplicity import holm
from .statistics import CLAIM
from .wording import percent, point_interval, share_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .contender import Contender

ALPHA = 0.05


def verdict(contenders: Sequence[Contender], primary: str, *, is_sequence: bool) -> tuple[str, ...]:
    """Compare the leader with everyone else on shared seeds, Holm-corrected; contenders come best first."""
    scored = [c for c in contenders if score(c, primary) is not None]
    if not scored:
        return ("No trial has finished with a score.",)
    leader = scored[0]
    quantity = leader.quantities[primary]
    assert quantity.estimate is not None
    n = quantity.estimate.n
    lower = quantity.direction == "lower"
    named = f"{'lowest' if lower else 'highest'} mean {primary.replace('_', ' ')}"
    if n < CLAIM:
        seeds = "one seed" if n == 1 else f"{n} seeds"
        first = f"{leader.label} has the {named}, {percent(quantity.estimate.mean)}; {seeds} cannot say who is better."
        return (first, *(_forgetting(scored) if is_sequence else ()))
    sentences = [f"{leader.label} has the {named}, {share_interval(quantity.estimate)}, over {n} seeds."]
    compared = [(c, difference(c, leader, primary)) for c in scored[1:]]
    tested = [(c, d) for c, d in compared if d is not None and d.p is not None]
    adjusted = holm([d.p for _, d in tested if d.p is not None])
    beaten = [(c, d) for (c, d), p in zip(tested, adjusted, strict=True) if p < ALPHA and (d.estimate.mean > 0) != lower]
    tied = [c.label for c in scored[1:] if c not in [b for b, _ in beaten]]
    if tied:
        sentences.append(f"It cannot be told apart from {_joined(tied)} on this test set.")
    if beaten:
        nearest = min(beaten, key=lambda pair: abs(pair[1].estimate.mean))
        span = point_interval(nearest[1].estimate)
        sentences.append(f"It beats {_joined([c.label for c, _ in beaten])}; nearest of them {nearest[0].label}, by {span}.")
    if is_sequence:
        sentences.extend(_forgetting(scored))
    return tuple(sentences)


def _forgetting(scored: Sequence[Contender]) -> list[str]:
    found = [(c, c.quantities["forgetting"].estimate) for c in scored if "forgetting" in c.quantities]
    ordered = sorted(((c, e) for c, e in found if e is not None), key=lambda pair: pair[1].mean)
    if len(ordered) < 2:
        return []
    parts = [f"{c.label} {point_interval(e)}" for c, e in ordered]
    return [f"Forgetting of the earlier tasks, least first: {_joined(parts)}."]


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""
