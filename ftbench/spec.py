"""What a process is told in order to carry out a trial: written to `spec.json`, and enough by itself."""

from __future__ import annotations

from dataclasses import dataclass

from .trial import Trial  # noqa: TC001 - pydantic resolves the field types at run time


@dataclass(frozen=True)
class Spec:
    """One trial, and where to run it."""

    trial: Trial
    device: str
    """`cpu`, or `cuda:0`: the one card the process sees."""
    cache: str
    """Folder of what trials share."""
    files: tuple[str, ...] = ()
    """Plugins of one file."""
    without: tuple[str, ...] = ()
    """Plugins left out."""
