"""What one property of a plugin came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What one property came to."""

    property: str
    """What was promised."""
    passed: bool
    """Whether it was kept."""
    figure: float | None = None
    """The number it was judged by; None where the property is no number."""
    tolerance: float | None = None
    """The largest figure that is accepted."""
    detail: str = ""
    """What was found, in words."""
