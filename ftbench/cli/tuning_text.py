"""What a tuning will take, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formatting import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..analysis.forecast import CostEstimate, TuningToll


def toll_lines(toll: TuningToll, currency: str) -> Iterator[str]:
    """Say how many tries there are, what those made took, and what is to come, as far as earlier trials tell."""
    every = toll.made.trials + toll.tries.trials
    made = f"{toll.made.trials} made{_taken(toll.made, currency)}" if toll.made.trials else "none made"
    yield f"tuning: {every} tries for {toll.strategies} strategies, counted on each backbone and target; {made}"
    for name, one in (("tries", toll.tries), ("trials with chosen or untuned values", toll.finals)):
        if one.trials:
            yield f"tuning: {one.trials} {name} to come{_taken(one, currency) or ': nothing like them has been run here'}"


def _taken(toll: CostEstimate, currency: str) -> str:
    if toll.unknown == toll.trials:
        return ""
    money = "" if toll.money is None else f", {quantity(toll.money, currency)}"
    unknown = f", {toll.unknown} of them unknown" if toll.unknown else ""
    return f", {quantity(toll.seconds, 's')}{money}{unknown}"
