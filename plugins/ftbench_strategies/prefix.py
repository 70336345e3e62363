"""Prefix tuning: trained keys and values in front of every attention layer (Li and Liang 2021; Liu et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge
from ftbench import Strategy

if TYPE_CHECKING:
    from ftbench import Bench, Learner


@dataclass
class Prefix(Strategy):
    """Each attention layer attends to `length` trained key and value vectors beside its own."""

    lr_ratio: ClassVar[float] = 50.0
    needs_roles: ClassVar[frozenset[str]] = frozenset({"attention"})

    length: Annotated[int, Ge(1)] = 20
    """Vectors P in front of each layer."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze the backbone and put the prefixes in."""
        from .modules.prefix_attention import attach_prefixes

        learner.freeze_backbone()
        attach_prefixes(learner.model, learner.modules("attention"), self.length, bench.device)
