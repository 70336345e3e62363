"""AdaLoRA: low-rank updates with ranks allocated by importance (Zhang et al. 2023, sections 3.1 to 3.3), by peft."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt
from ftbench import About, NotApplicable, Tunable

from .injected import Injected
from .targets import Role, named, refuse_without

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Bench, Learner, ModelCard
    from torch import Tensor


_IMPORTANCE = ("ipt", "exp_avg_ipt", "exp_avg_unc")


@dataclass
class AdaLoRA(Injected):
    """Train low-rank updates in singular-value form; during training, the least important values are set to zero."""

    about: ClassVar[About] = About(
        paper="Zhang et al. 2023, arXiv:2303.10512",
        equation="h = W₀x + (α/r)·P·Λ·Q·x + γ(‖PᵀP − I‖ + ‖QQᵀ − I‖), least important λ set to zero",
        when="A fixed rank budget that should be allocated to the layers by importance.",
        limits="Needs a few hundred steps to learn importance. Cannot adapt convolutions.",
        family="low-rank & scaling",
    )

    lr_ratio: ClassVar[float] = 10.0
    starts_within: ClassVar[float | None] = 0.0

    target_rank: Annotated[int, Ge(1), Tunable((4, 8))] = 8
    """Mean rank at the end."""
    initial_rank: Annotated[int, Ge(1)] = 12
    """Rank of every update at the start."""
    alpha: Annotated[float, Gt(0)] = 16.0
    """The update is scaled by alpha / rank."""
    orthogonality: Annotated[float, Ge(0)] = 0.5
    """Weight of the term that keeps P and Q orthogonal; the logged task loss does not include it."""
    warm_share: Annotated[float, Ge(0), Lt(1)] = 0.1
    """Share of the steps before ranks begin to fall."""
    final_share: Annotated[float, Ge(0), Lt(1)] = 0.3
    """Share of the steps at the end during which ranks are fixed."""
    targets: tuple[Role, ...] = ("query", "value")
    """Roles of the adapted matrices."""

    _tuner: Any = field(init=False, repr=False, default=None)
    _done: int = field(init=False, repr=False, default=0)
    _first_stage: int = field(init=False, repr=False, default=0)

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without any of the target matrices."""
        refuse_without(card, [role for role in self.targets if role != "conv"])

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Inject the updates; the rank budget is scheduled over the steps of the first stage.

        Raises:
            NotApplicable: there are too few steps to learn importance before ranks are allocated.
        """
        from peft import AdaLoraConfig

        from .modules.peft_injection import inject, is_transposed

        steps = bench.loader().steps
        if steps < 2:
            raise NotApplicable("ranks are shared out by importance, which takes at least two steps to learn")
        final = min(round(steps * self.final_share), steps - 2)
        warm = min(round(steps * self.warm_share), steps - final - 1)
        names = named(learner, self.targets)
        config = AdaLoraConfig(
            target_r=self.target_rank,
            init_r=self.initial_rank,
            lora_alpha=self.alpha,
            target_modules=names,
            total_step=steps,
            tinit=warm,
            tfinal=final,
            orth_reg_weight=self.orthogonality,
            fan_in_fan_out=is_transposed(learner, names),
        )
        self._first_stage = steps
        self._tuner = inject(learner, config)

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Add the orthogonality term, which peft leaves out if the model is not wrapped."""
        from .modules.peft_injection import orthogonality

        return task_loss + self.orthogonality * orthogonality(learner)

    def after_step(self, learner: Learner, step: int) -> None:
        """Update the importance of every singular value, then set those beyond the budget to zero.

        After the update, so that every forward pass uses the pruned matrices (Zhang et al. 2023, algorithm 1).
        """
        # At most one step beyond the first stage, so that ranks stay fixed in later ones: they are final at its last
        # step.
        self._done = min(self._done + 1, self._first_stage + 1)
        self._tuner.update_and_allocate(self._done)

    def state(self) -> Any:
        """Return the state of the allocation: the budget's step, the ranks, and the importance of each."""
        allocator = self._tuner.rankallocator
        importance = [dict(getattr(allocator, name)) for name in _IMPORTANCE]
        return self._done, self._tuner.peft_config["default"].rank_pattern, importance

    def load_state(self, state: Any) -> None:
        """Restore the state of the allocation."""
        self._done, self._tuner.peft_config["default"].rank_pattern, importance = state
        for name, values in zip(_IMPORTANCE, importance, strict=True):
            setattr(self._tuner.rankallocator, name, values)

    def stored(self, learner: Learner, trained: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the allocated ranks only; a simulation, which cannot allocate, keeps the mean rank everywhere."""
        from .modules.peft_injection import is_simulated, without_lowest_ranks

        found = super().stored(learner, trained)
        return without_lowest_ranks(found, self.target_rank) if is_simulated(learner) else found

    def resumable(self) -> bool:
        """Return True: everything that changes besides the weights is in the state."""
        return True
