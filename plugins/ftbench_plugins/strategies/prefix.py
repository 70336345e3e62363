"""Prefix tuning: trained prefix keys and values in every attention layer (Li and Liang 2021; Liu et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge
from ftbench import About, NotApplicable, RateRange, Strategy, Tunable, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Bench, Learner, ModelCard
    from torch import Tensor


SHIFTED = ("bert", "roberta", "gpt2")


@dataclass
class Prefix(Strategy):
    """Train `length` key and value vectors per attention layer, which attends to them in addition to its own."""

    about: ClassVar[About] = About(
        paper="Li and Liang 2021, arXiv:2101.00190; Liu et al. 2022, arXiv:2110.07602 (P-tuning v2)",
        equation="softmax(Q[P_k; K]ᵀ/√d)·[P_v; V] in every layer",
        when="Many tasks in one batch on one frozen model; speech, where the number of frames must not change.",
        limits="Sensitive to its rate and length. Needs attention that accepts additional keys.",
        family="prompts & prefixes",
    )

    lr_ratio: ClassVar[float] = 50.0
    lr_range: ClassVar[RateRange | None] = RateRange(0.1, 10.0, "speech-adapters takes 2e-3: a decade each way")
    needs_roles: ClassVar[frozenset[str]] = frozenset({"attention"})

    length: Annotated[int, Ge(1), Tunable((5, 20, 50))] = 20
    """Number of vectors P per layer."""
    projection: bool = False
    """Whether to train through a network with one hidden layer that makes all prefixes and is dropped at the end (Li
    and Liang)."""
    hidden: Annotated[int, Ge(1)] = 512
    """Width of that network."""
    position_shift: bool = False
    """Whether to count positions from P, like peft; for text models with absolute positions."""

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without attention, and a shift if positions are not counted or too few."""
        super().check(card)
        if self.projection and card.class_tokens is None:
            message = f"{card.architecture} has layers of different widths: one network cannot make all its prefixes"
            raise NotApplicable(message)
        if not self.position_shift:
            return
        if card.architecture not in SHIFTED:
            message = f"{card.architecture} is given no positions that could be shifted"
            raise NotApplicable(message)
        if card.positions is not None and self.length >= card.positions:
            raise UserError(
                f"length: a prefix of {self.length} leaves nothing of the backbone's {card.positions} positions"
            )

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze the backbone and add the prefixes."""
        from .modules.prefix_attention import attach_prefixes, project_prefixes, shift_positions

        learner.freeze_backbone()
        if self.position_shift:
            shift_positions(learner.model, self.length, after_padding=learner.card.architecture == "roberta")
        attach_prefixes(learner.model, learner.modules("attention"), self.length, bench.device)
        if self.projection:
            project_prefixes(learner.model, self.hidden, bench.device)

    def stored(self, learner: Learner, trained: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the prefixes instead of the network that makes them."""
        from .modules.prefix_attention import made_prefixes

        return made_prefixes(learner.model, trained)

    def finish(self, learner: Learner) -> None:
        """Keep the prefixes and drop the network that made them."""
        from .modules.prefix_attention import drop_projection

        drop_projection(learner.model)
