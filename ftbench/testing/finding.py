"""The result of checking one property of a plugin."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Result of checking one property."""

    property: str
    """The property, as a sentence."""
    passed: bool
    """Whether the property holds."""
    figure: float | None = None
    """The measured number; None if the property is not numeric."""
    tolerance: float | None = None
    """The largest accepted figure; None if there is no such limit."""
    detail: str = ""
    """Details in words; empty if there are none."""
