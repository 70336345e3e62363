"""Which strategy serves which architecture: asked of the code, never written down by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import NotApplicable, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..api.card import ModelCard
    from ..api.catalog import Catalog


@dataclass(frozen=True)
class Support:
    """The support matrix."""

    architectures: tuple[str, ...]
    """Columns."""
    reasons: Mapping[str, Mapping[str, str | None]]
    """Strategy → architecture → why it cannot be served; None where it can."""


def support_matrix(catalog: Catalog) -> Support:
    """Ask every strategy that needs no options about every architecture some backbone can load."""
    cards: dict[str, ModelCard] = {}
    for cls in catalog.offers.get("backbones", {}).values():
        for card in cls.architectures():  # type: ignore[attr-defined]  # every backbone class has it
            cards.setdefault(card.architecture, card)
    reasons: dict[str, dict[str, str | None]] = {}
    for name in sorted(catalog.offers.get("strategies", {})):
        try:
            strategy: Any = catalog.build("strategies", name, {})
        except (UserError, TypeError):
            continue  # its options decide
        reasons[name] = {architecture: _reason(strategy, card) for architecture, card in cards.items()}
    return Support(tuple(cards), reasons)


def _reason(strategy: Any, card: ModelCard) -> str | None:
    try:
        strategy.check(card)
    except NotApplicable as error:
        return str(error)
    return None


def as_markdown(support: Support) -> str:
    """Write the matrix as a Markdown table, the reasons below it."""
    lines = ["| | " + " | ".join(support.architectures) + " |", "|---|" + ":-:|" * len(support.architectures)]
    lines += [
        f"| `{name}` | " + " | ".join("–" if reasons[a] else "✓" for a in support.architectures) + " |"
        for name, reasons in support.reasons.items()
    ]
    return "\n".join([*lines, "", *(f"* –: {line}" for line in refusals(*support.reasons.values()))]) + "\n"


def refusals(*rows: Mapping[str, str | None]) -> list[str]:
    """Sum up why architectures are refused: a line a reason, with all it holds for.

    Args:
        rows: architecture → reason, or None where it is served.
    """
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for architecture, reason in row.items():
            if reason:
                found.setdefault(reason.removeprefix(f"{architecture} "), {})[architecture] = None
    return [f"{', '.join(architectures)}: {reason}" for reason, architectures in sorted(found.items())]
