"""Base of all strategies that inject peft layers into a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench import Strategy

if TYPE_CHECKING:
    from pathlib import Path

    from ftbench import Learner


class Injected(Strategy):
    """Trains layers that peft adds to the network's own; they are merged at the end."""

    def export(self, learner: Learner, folder: Path) -> bool:
        """Write a directory for peft's `PeftModel.from_pretrained`, including the head."""
        from .modules.peft_injection import write_adapter

        write_adapter(learner, folder)
        return True

    def finish(self, learner: Learner) -> None:
        """Merge every mergeable layer into its matrix, and remove it."""
        from .modules.peft_injection import merge

        merge(learner)
