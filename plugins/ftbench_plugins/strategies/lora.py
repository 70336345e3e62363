"""LoRA: low-rank updates of frozen matrices (Hu et al. 2022, section 4.1), and its variants, by peft."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Lt
from ftbench import About, RateRange, Tunable

from .injected import Injected
from .targets import Role, named, refuse_without

if TYPE_CHECKING:
    from ftbench import Bench, Learner, ModelCard, Training
    from torch.optim import Optimizer


@dataclass
class LoRA(Injected):
    """Train low-rank updates A and B of frozen matrices; they are merged into the matrices at the end."""

    about: ClassVar[About] = About(
        paper=(
            "Hu et al. 2022, arXiv:2106.09685; rsLoRA arXiv:2312.03732; DoRA arXiv:2402.09353; "
            "LoRA-FA arXiv:2308.03303; LoRA+ arXiv:2402.12354"
        ),
        equation="h = W₀x + (α/r)·B·A·x",
        when="The default choice if full fine-tuning is too expensive: no inference cost, one small file per task.",
        limits=(
            "Falls short if the update needs a high rank. In GPT-2 query, key and value are one matrix and share A. "
            "`lora-fa` cannot be combined."
        ),
        family="low-rank & scaling",
    )

    lr_ratio: ClassVar[float] = 10.0
    lr_range: ClassVar[RateRange | None] = RateRange(
        0.1, 10.0, "arXiv:2602.04998: the best rate differs from variant to variant; loralib takes 5e-4 for RoBERTa"
    )
    starts_within: ClassVar[float | None] = 0.0

    rank: Annotated[int, Ge(1), Tunable((4, 8, 16, 32))] = 8
    """Rank r of the update."""
    alpha: Annotated[float, Gt(0)] = 16.0
    """The update is scaled by alpha / rank, in `rslora` by alpha / √rank."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Dropout on the update's input."""
    targets: tuple[Role, ...] = ("query", "value")
    """Roles of the adapted matrices; in a backbone without attention, its convolutions are adapted."""
    variant: Literal["lora", "rslora", "dora", "lora-fa", "lora+"] = "lora"
    """`rslora` scales by 1/√r (Kalajdzievski 2023), `dora` trains magnitudes separately (Liu et al. 2024), `lora-fa`
    keeps A at its random values (Zhang et al. 2023), `lora+` uses a higher rate for B (Hayou et al. 2024)."""
    b_ratio: Annotated[float, Ge(1)] = 16.0
    """In `lora+`, the learning rate of B over that of A."""

    _training: Training | None = field(init=False, repr=False, default=None)

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without any of the target matrices."""
        refuse_without(card, self.targets, "conv")

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Inject the updates; they start at zero."""
        from peft import LoraConfig

        from .modules.peft_injection import inject, is_transposed

        names = named(learner, self.targets, "conv")
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=names,
            fan_in_fan_out=is_transposed(learner, names),
            use_rslora=self.variant == "rslora",
            use_dora=self.variant == "dora",
        )
        self._tuner = inject(learner, config)
        if self.variant == "lora-fa":
            for name, parameter in learner.model.named_parameters():
                if "lora_A" in name:
                    parameter.requires_grad = False
            self._training = bench.training

    def param_groups(self, learner: Learner) -> list[dict[str, Any]]:
        """Return the usual groups; in `lora+` the matrices B get a higher rate."""
        groups = super().param_groups(learner)
        if self.variant != "lora+":
            return groups
        fast = {id(parameter) for name, parameter in learner.trainable() if "lora_B" in name}
        split = []
        for group in groups:
            for scale, inside in ((1.0, False), (self.b_ratio, True)):
                chosen = [parameter for parameter in group["params"] if (id(parameter) in fast) == inside]
                if chosen:
                    split.append({**group, "params": chosen, "lr_scale": scale})
        return split

    def resumable(self) -> bool:
        """Return True: its own optimizer keeps the state of AdamW."""
        return True

    def optimizer(self, learner: Learner, groups: list[dict[str, Any]]) -> Optimizer | None:
        """Use the suite's optimizer, except in `lora-fa`: AdamW with gradients of B that are corrected for the fixed A.

        The suite's options apply if its optimizer is AdamW.
        """
        if self.variant != "lora-fa":
            return None
        from .modules.fixed_a import FixedAAdamW, pairs_of

        assert self._training is not None
        own = self._training.optimizer_options if self._training.optimizer == "adamw" else {}
        options = {"lr": self._training.lr, "weight_decay": self._training.weight_decay, **own}
        return FixedAAdamW(groups, pairs_of(learner.model), **options)
