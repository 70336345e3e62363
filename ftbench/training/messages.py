"""What a process is told in order to carry out a trial: written to `spec.json`, and enough by itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ..suite.trial import Trial  # noqa: TC001 - pydantic resolves the field types at run time

if TYPE_CHECKING:
    from pydantic import TypeAdapter

OUTCOME = "outcome.json"
"""The file a trial leaves beside its spec."""


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
    checkpoints: str = ""
    """Folder of the trial's checkpoints."""
    checkpoint: float | None = None
    """Seconds between two of them; None for none."""


@cache
def spec_adapter() -> TypeAdapter[Spec]:
    """Give pydantic's reading of a spec; made once, because making it is slow."""
    from pydantic import TypeAdapter

    return TypeAdapter(Spec)
