"""Compute which strategies support which architectures, from the code of both."""

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
    """Strategy → architecture → why it is not supported, or None if it is."""


def support_matrix(catalog: Catalog) -> Support:
    """Check every strategy without required options on every architecture that a backbone can load."""
    cards: dict[str, ModelCard] = {}
    for cls in catalog.offers.get("backbones", {}).values():
        for card in cls.architectures():  # type: ignore[attr-defined]  # every backbone class has it
            cards.setdefault(card.architecture, card)
    reasons: dict[str, dict[str, str | None]] = {}
    for name in sorted(catalog.offers.get("strategies", {})):
        try:
            strategy: Any = catalog.build("strategies", name, {})
        except (UserError, TypeError):
            continue  # support depends on its options
        reasons[name] = {architecture: _reason(strategy, card) for architecture, card in cards.items()}
    return Support(tuple(cards), reasons)


def _reason(strategy: Any, card: ModelCard) -> str | None:
    try:
        strategy.check(card)
    except NotApplicable as error:
        return str(error)
    return None


def as_markdown(support: Support) -> str:
    """Return the matrix as a Markdown table, followed by the reasons."""
    lines = ["| | " + " | ".join(support.architectures) + " |", "|---|" + ":-:|" * len(support.architectures)]
    lines += [
        f"| `{name}` | " + " | ".join("–" if reasons[a] else "✓" for a in support.architectures) + " |"
        for name, reasons in support.reasons.items()
    ]
    return "\n".join([*lines, "", *(f"* –: {line}" for line in refusals(*support.reasons.values()))]) + "\n"


def refusals(*rows: Mapping[str, str | None]) -> list[str]:
    """Return one line per reason, with all architectures it applies to.

    Args:
        rows: architecture → reason, or None if it is supported.
    """
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for architecture, reason in row.items():
            if reason:
                found.setdefault(reason.removeprefix(f"{architecture} "), {})[architecture] = None
    return [f"{', '.join(architectures)}: {reason}" for reason, architectures in sorted(found.items())]
