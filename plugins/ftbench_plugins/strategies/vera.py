"""VeRA: shared frozen random matrices, trained scaling vectors (Kopiczko et al. 2024, section 3.1), by peft."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge
from ftbench import About, Tunable

from .injected import Injected
from .targets import Role, named, refuse_without

if TYPE_CHECKING:
    from ftbench import Bench, Learner, ModelCard


@dataclass
class VeRA(Injected):
    """Train two vectors per matrix that scale low-rank updates, which are random, shared by all layers and frozen."""

    about: ClassVar[About] = About(
        paper="Kopiczko et al. 2024, arXiv:2310.11454",
        equation="h = W₀x + Λ_b·B·Λ_d·A·x, A and B random, shared, frozen",
        when="Thousands of tasks on one model, when even LoRA's files are too large.",
        limits="Learns slowly, at rates five times LoRA's. Cannot adapt convolutions.",
        family="low-rank & scaling",
    )

    lr_ratio: ClassVar[float] = 50.0
    starts_within: ClassVar[float | None] = 0.0

    rank: Annotated[int, Ge(1), Tunable((64, 256, 1024))] = 256
    """Rank r of the shared matrices."""
    initial: float = 0.1
    """Initial value of Λ_d; Λ_b starts at zero."""
    targets: tuple[Role, ...] = ("query", "value")
    """Roles of the adapted matrices."""

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without any of the target matrices."""
        refuse_without(card, [role for role in self.targets if role != "conv"])

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Inject the vectors; the shared matrices are drawn from the trial's seed."""
        from peft import VeraConfig

        from .modules.peft_injection import inject, is_transposed

        names = named(learner, self.targets)
        with warnings.catch_warnings():
            # peft warns that the shared matrices are not saved: they are drawn from the seed, as in the paper.
            warnings.simplefilter("ignore", UserWarning)
            config = VeraConfig(
                r=self.rank,
                d_initial=self.initial,
                target_modules=names,
                projection_prng_key=bench.seed,
                save_projection=False,
                fan_in_fan_out=is_transposed(learner, names),
            )
        self._tuner = inject(learner, config)
