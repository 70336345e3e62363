"""Changes of all strategies together, between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records.record_set import Place

if TYPE_CHECKING:
    from collections.abc import Collection

EVERYONE = "all strategies together"


def place_of_all(places: Collection[Place]) -> Place:
    """Return a key for several configurations together, with their task column and backbone if these are the same."""
    targets, backbones = ({getattr(one, name) for one in places} for name in ("target", "backbone"))
    return Place(
        targets.pop() if len(targets) == 1 else "all tasks",
        backbones.pop() if len(backbones) == 1 else "all backbones",
        EVERYONE,
    )
