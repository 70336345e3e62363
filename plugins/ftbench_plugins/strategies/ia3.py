"""(IA)³: rescale keys, values and inner activations by trained vectors (Liu et al. 2022, section 3.3), by peft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ftbench import About, RateRange

from .injected import Injected
from .targets import named, refuse_without

if TYPE_CHECKING:
    from ftbench import Bench, Learner, ModelCard


@dataclass
class IA3(Injected):
    """Train vectors that rescale keys, values and inner activations of feed-forward parts; they start at one."""

    about: ClassVar[About] = About(
        paper="Liu et al. 2022, arXiv:2205.05638",
        equation="softmax(Q(l_k ⊙ K)ᵀ/√d)(l_v ⊙ V); W₂(l_ff ⊙ σ(W₁x))",
        when="Few examples, and a file of a few thousand numbers per task.",
        limits="It can only rescale. Cannot adapt networks without attention.",
        family="low-rank & scaling",
    )

    lr_ratio: ClassVar[float] = 50.0
    lr_range: ClassVar[RateRange | None] = RateRange(
        0.1, 10.0, "peft's method_comparison: best at 5e-3 of 1e-4, 1e-3 and 5e-3"
    )
    starts_within: ClassVar[float | None] = 0.0

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without attention and feed-forward parts."""
        refuse_without(card, ("key", "value", "ffn_out"))

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Inject the vectors; full module names keep peft from confusing the attention's output with the inner one."""
        from peft import IA3Config

        from .modules.fused_scales import spare_queries
        from .modules.peft_injection import inject, is_transposed

        inner = named(learner, ("ffn_out",))
        names = [*named(learner, ("key", "value")), *inner]
        config = IA3Config(
            target_modules=names, feedforward_modules=inner, fan_in_fan_out=is_transposed(learner, names)
        )
        self._tuner = inject(learner, config)
        spare_queries(learner)
