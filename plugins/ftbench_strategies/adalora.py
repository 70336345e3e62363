"""AdaLoRA: low-rank updates whose ranks are shared out by importance (Zhang et al. 2023, sections 3.1 to 3.3), through peft."""

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
    """Train low-rank updates in the form of singular values; the least important of all are put to zero as training goes on."""

    about: ClassVar[About] = About(
        paper="Zhang et al. 2023, arXiv:2303.10512",
        equation="h = W₀x + (α/r)·P·Λ·Q·x + γ(‖PᵀP − I‖ + ‖QQᵀ − I‖), least important λ put to zero",
        when="A fixed budget of ranks that layers should share out themselves.",
        limits="It needs some hundred steps to learn importance, and adapts no convolutions.",
    )

    lr_ratio: ClassVar[float] = 10.0
    starts_within: ClassVar[float | None] = 0.0

    target_rank: Annotated[int, Ge(1), Tunable((4, 8))] = 8
    """Mean rank at the end."""
    initial_rank: Annotated[int, Ge(1)] = 12
    """Rank of every update at the beginning."""
    alpha: Annotated[float, Gt(0)] = 16.0
    """The update is scaled by alpha over the rank."""
    orthogonality: Annotated[float, Ge(0)] = 0.5
    """Weight of the term that keeps P and Q orthogonal; the task's loss is logged without it."""
    warm_share: Annotated[float, Ge(0), Lt(1)] = 0.1
    """Share of the steps before ranks begin to fall."""
    final_share: Annotated[float, Ge(0), Lt(1)] = 0.3
    """Share of the steps, at the end, in which ranks stay."""
    targets: tuple[Role, ...] = ("query", "value")
    """Roles of the matrices that are adapted."""

    _tuner: Any = field(init=False, repr=False, default=None)
    _done: int = field(init=False, repr=False, default=0)
    _first_stage: int = field(init=False, repr=False, default=0)

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone with none of the matrices asked for."""
        refuse_without(card, [role for role in self.targets if role != "conv"])

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Put the updates beside the matrices; the budget follows the steps of the first stage.

        Raises:
            NotApplicable: there is no step from which importance could be learnt before the ranks are shared out.
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
        """Add the term that keeps the factors orthogonal; peft leaves it out where the model is not wrapped."""
        from .modules.peft_injection import orthogonality

        return task_loss + self.orthogonality * orthogonality(learner)

    def after_backward(self, learner: Learner, step: int) -> None:
        """Update the importance of every singular value and share the budget out; no library's loop does it."""
        # One beyond the first stage, where the ranks of later ones stay: at its last step they are shared out for good.
        self._done = min(self._done + 1, self._first_stage + 1)
        self._tuner.update_and_allocate(self._done)

    def state(self) -> Any:
        """Give how far the sharing out has come: the budget's step, the ranks held, and the importance of each."""
        allocator = self._tuner.rankallocator
        importance = [dict(getattr(allocator, name)) for name in _IMPORTANCE]
        return self._done, self._tuner.peft_config["default"].rank_pattern, importance

    def load_state(self, state: Any) -> None:
        """Go back to where the sharing out was."""
        self._done, self._tuner.peft_config["default"].rank_pattern, importance = state
        for name, values in zip(_IMPORTANCE, importance, strict=True):
            setattr(self._tuner.rankallocator, name, values)

    def resumable(self) -> bool:
        """Tell that all that moves beside the weights is in its state."""
        return True

    def end_stage(self, learner: Learner, bench: Bench) -> None:
        """Hold the ranks as they were shared out: the last update may have moved what was put to zero."""
        self._hold_ranks(learner)

    def finish(self, learner: Learner) -> None:
        """Hold the ranks, then merge every update into its matrix."""
        self._hold_ranks(learner)
        super().finish(learner)

    def _hold_ranks(self, learner: Learner) -> None:
        pattern = self._tuner.peft_config["default"].rank_pattern
        if pattern:
            self._tuner.rankallocator.mask_using_rank_pattern(learner.model, pattern)
