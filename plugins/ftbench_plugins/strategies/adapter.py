"""Bottleneck adapters: small networks between frozen sublayers (Houlsby et al. 2019; Pfeiffer et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Gt
from ftbench import About, NotApplicable, RateRange, Strategy, Tunable

if TYPE_CHECKING:
    from ftbench import Bench, Learner, ModelCard


@dataclass
class Adapter(Strategy):
    """Train small bottleneck networks at the outputs of sublayers, before the residual sum, from near the identity."""

    about: ClassVar[About] = About(
        paper=(
            "Houlsby et al. 2019, arXiv:1902.00751; Pfeiffer et al. 2021, arXiv:2005.00247; "
            "He et al. 2022, arXiv:2110.04366"
        ),
        equation="h + W_up·σ(W_down·h); parallel: f(h) + s·W_up·σ(W_down·h)",
        when="Medium amounts of data, many tasks, and accuracy close to full fine-tuning.",
        limits="Cannot be merged: every forward pass is a few percent slower. `parallel` needs feed-forward parts.",
        family="adapters",
    )

    lr_ratio: ClassVar[float] = 10.0
    lr_range: ClassVar[RateRange | None] = RateRange(0.1, 10.0, "adapter-bert takes 3e-4: a decade each way")
    starts_within: ClassVar[float | None] = 1e-2

    kind: Literal["houlsby", "pfeiffer", "parallel"] = "houlsby"
    """`houlsby`: after attention and after the feed-forward part. `pfeiffer`: only after the feed-forward part.
    `parallel`: in parallel to the feed-forward part, scaled (He et al. 2022, section 4.6)."""
    bottleneck: Annotated[int, Ge(1), Tunable((8, 64, 256))] = 64
    """Width m of the bottleneck."""
    activation: Literal["gelu", "relu"] = "gelu"
    """The nonlinearity σ."""
    scale: Annotated[float, Gt(0)] = 4.0
    """Factor s on a parallel adapter's output."""
    train_layer_norm: bool | None = None
    """Whether to train the layer norms too; by default as published: with `houlsby`, and not with the other kinds. The
    norms of a convolutional front end are never trained."""

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without residual blocks."""
        if not self._roles(card):
            message = f"{card.architecture} has no residual blocks an adapter could stand in"
            raise NotApplicable(message)

    def _roles(self, card: ModelCard) -> list[str]:
        if self.kind == "parallel":
            return [role for role in ("ffn_exit",) if role in card.roles]
        wanted = ("attention_exit", "ffn_exit") if self.kind == "houlsby" else ("ffn_exit",)
        found = [role for role in wanted if role in card.roles]
        # A convolutional network has no sublayers: insert one adapter of 1 × 1 convolutions after each block.
        return found or [role for role in ("block_exit",) if role in card.roles]

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze the backbone and insert the adapters."""
        from .modules.bottleneck import insert_adapters, insert_parallel_adapters
        from .modules.norms import is_layer_norm, normalisations

        learner.freeze_backbone()
        exits = [module for role in self._roles(learner.card) for module in learner.modules(role)]
        if self.kind == "parallel":
            entries = learner.modules("ffn_in")
            # A gated part has two entries with the same input.
            beside = list(zip(entries[:: len(entries) // len(exits)], exits, strict=True))
            insert_parallel_adapters(
                learner.model, beside, self.bottleneck, self.activation, self.scale, device=bench.device
            )
        else:
            insert_adapters(learner.model, exits, self.bottleneck, self.activation, bench.device)
        if self.kind == "houlsby" if self.train_layer_norm is None else self.train_layer_norm:
            for module in normalisations(learner):
                if is_layer_norm(module):
                    module.requires_grad_(requires_grad=True)
