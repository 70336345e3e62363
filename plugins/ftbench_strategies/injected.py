"""What all strategies share that put layers of peft into a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench import Strategy

if TYPE_CHECKING:
    from ftbench import Learner


class Injected(Strategy):
    """Trains layers that peft puts beside or around the network's own; they are merged at the end."""

    def finish(self, learner: Learner) -> None:
        """Merge every layer that can be merged into its matrix, and take it out."""
        from .modules.peft_injection import merge

        merge(learner)
