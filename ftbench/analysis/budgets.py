"""Who may be compared with whom: strategies tuned with equal budgets only, for more tries alone give a better best."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from .wording import joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .contender import Contender


def with_budgets(contenders: Sequence[Contender], budgets: Mapping[tuple[str, str], str]) -> list[Contender]:
    """Note what everyone of a target was tuned with, and who stands apart: those whose budget is not that of the most.

    Args:
        contenders: in the order of the suite.
        budgets: backbone and strategy → budget; who is not in it had nothing to tune, and may be compared with all.
    """
    noted = [replace(contender, budget=budgets.get((contender.backbone, contender.strategy), "")) for contender in contenders]
    counts = Counter(contender.budget for contender in noted if contender.budget)
    if len(counts) < 2:
        return noted
    usual = counts.most_common(1)[0][0]
    return [
        replace(contender, apart=f"tuned with {contender.budget}, the others with {usual}")
        if contender.budget not in ("", usual)
        else contender
        for contender in noted
    ]


def apart_sentences(contenders: Sequence[Contender]) -> tuple[str, ...]:
    """Say who is not compared, and why."""
    reasons = dict.fromkeys(contender.apart for contender in contenders if contender.apart)
    return tuple(
        f"Not comparable: {joined([contender.label for contender in contenders if contender.apart == reason])}, {reason}."
        for reason in reasons
    )
