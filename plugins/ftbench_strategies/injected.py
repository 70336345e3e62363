"""What all strategies share that put layers of peft into a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench import Strategy

if TYPE_CHECKING:
    from pathlib import Path

    from ftbench import Learner


class Injected(Strategy):
    """Trains layers that peft puts beside or around the network's own; they are merged at the end."""

    def export(self, learner: Learner, folder: Path) -> bool:
        """Write a directory that peft's `PeftModel.from_pretrained` reads, the head in it."""
        from .modules.peft_injection import write_adapter

        write_adapter(learner, folder)
        return True

    def finish(self, learner: Learner) -> None:
        """Merge every layer that can be merged into its matrix, and take it out."""
        from .modules.peft_injection import merge

        merge(learner)
