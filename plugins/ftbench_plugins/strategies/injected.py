"""Base of all strategies that inject peft layers into a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ftbench import Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ftbench import Learner
    from torch import Tensor


class Injected(Strategy):
    """Trains layers that peft adds to the network's own; they are merged at the end."""

    _tuner: Any = None
    """What peft built, set in `prepare`."""

    def stored(self, learner: Learner, trained: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return what peft saves of its layers, and what else trained."""
        from .modules.peft_injection import saved_by_peft

        return saved_by_peft(learner, self._tuner, trained)

    def export(self, learner: Learner, folder: Path) -> bool:
        """Write a directory for peft's `PeftModel.from_pretrained`, including the head."""
        from .modules.peft_injection import write_adapter

        write_adapter(learner, self._tuner, folder)
        return True

    def finish(self, learner: Learner) -> None:
        """Merge every mergeable layer into its matrix, and remove it."""
        from .modules.peft_injection import merge

        merge(learner)
