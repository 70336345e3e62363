"""Combine several strategies: train what each adds or unfreezes (Mao et al. 2022; Ding et al. 2023, section 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Len
from ftbench import About, NotApplicable, PluginError, Strategy

from .injected import Injected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Bench, Learner, ModelCard
    from torch import Tensor
    from torch.nn import Parameter
    from torch.optim import Optimizer

# A part that controls the training itself would affect the others too.
_STEERING = {"fit": "trains in its own way", "before_step": "freezes and opens as it goes"}


@dataclass
class Combine(Strategy):
    """Apply all `parts` in order; everything any of them trains is trained, at that part's own learning rate."""

    about: ClassVar[About] = About(
        paper="Mao et al. 2022, arXiv:2110.07577; Ding et al. 2023, doi:10.1038/s42256-023-00626-4",
        equation="those of the parts, combined",
        when="When one cheap method is not quite enough: LoRA with biases, an adapter with prompts.",
        limits="Refuses two parts of one kind, two parts that inject peft layers, and parts that control the training.",
    )

    parts: Annotated[tuple[Strategy, ...], Len(2)]
    """The strategies to combine, in order of application: names, or tables with `use` and options."""

    _order: list[Strategy] = field(init=False, repr=False, default_factory=list)
    _trained: list[list[Parameter]] = field(init=False, repr=False, default_factory=list)
    _rates: list[float] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        """Combine the properties of the parts.

        Raises:
            PluginError: two parts are of one kind, or a part controls the training.
        """
        mistakes = [f"parts[{place + 1}]: {why}" for place in range(len(self.parts)) for why in self._collisions(place)]
        if mistakes:
            raise PluginError(*mistakes)
        self.needs_sequence = any(part.needs_sequence for part in self.parts)  # type: ignore[misc]  # per instance
        self.moves_statistics = any(part.moves_statistics for part in self.parts)  # type: ignore[misc]  # as above
        promised = [part.starts_within for part in self.parts]
        self.starts_within = None if None in promised else sum(filter(None, promised))  # type: ignore[misc]  # as above

    def _collisions(self, place: int) -> list[str]:
        """Return why a part cannot be combined with those before it."""
        part, before = self.parts[place], self.parts[:place]
        kind = type(part)
        found = [
            f"it {why}" for moment, why in _STEERING.items() if getattr(kind, moment) is not getattr(Strategy, moment)
        ]
        if any(type(other) is kind for other in before):
            found.append("a second part of the same kind would take the place of the first")
        elif isinstance(part, Injected) and any(isinstance(other, Injected) for other in before):
            found.append("it and an earlier part would both put layers of peft into the network")
        return [f"{why}, so it cannot be one of several" for why in found]

    def check(self, card: ModelCard) -> None:
        """Refuse what any part refuses."""
        for part in self.parts:
            part.check(card)

    def lr(self, card: ModelCard) -> float:
        """Return the rate of the first part; the rates of the others are scaled in proportion."""
        return self.parts[0].lr(card)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Apply every part; parameters that a later part froze are unfrozen again.

        Layers of peft are applied first and merged last: hooks of other parts on a module must see its output with
        them.
        """
        self._order = sorted(self.parts, key=lambda part: not isinstance(part, Injected))
        self._rates = [part.lr(learner.card) / self.lr(learner.card) for part in self._order]
        for part in self._order:
            part.prepare(learner, bench)
            self._trained.append([parameter for _, parameter in learner.trainable()])
        for parameters in self._trained:
            for parameter in parameters:
                parameter.requires_grad = True

    def param_groups(self, learner: Learner) -> list[dict[str, Any]]:
        """Return each part's groups for what it trains; parameters of several parts, like the head, go to the first."""
        mine = {id(parameter): parameter for _, parameter in learner.trainable()}
        taken: set[int] = set()
        groups: list[dict[str, Any]] = []
        for part, parameters, rate in zip(self._order, self._trained, self._rates, strict=True):
            own = {id(parameter) for parameter in (*parameters, *learner.head_parameters())} - taken
            for identity, parameter in mine.items():
                parameter.requires_grad = identity in own
            for group in part.param_groups(learner):
                chosen = [parameter for parameter in group["params"] if id(parameter) not in taken]
                taken |= {id(parameter) for parameter in chosen}
                if chosen:
                    groups.append({**group, "params": chosen, "lr_scale": rate * group.get("lr_scale", 1.0)})
        for parameter in mine.values():
            parameter.requires_grad = True
        return groups

    def optimizer(self, learner: Learner, groups: list[dict[str, Any]]) -> Optimizer | None:
        """Use the suite's optimizer.

        Raises:
            NotApplicable: a part has its own optimizer, which does not cover the other parts.
        """
        for part in self.parts:
            if part.optimizer(learner, groups) is not None:
                message = (
                    f"{type(part).__name__} brings its own optimizer with these options, "
                    "which cannot train the other parts"
                )
                raise NotApplicable(message)
        return None

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Apply each part's loss to the result of the one before."""
        for part in self.parts:
            task_loss = part.loss(learner, batch, outputs, task_loss)
        return task_loss

    def after_backward(self, learner: Learner, step: int) -> None:
        """Run each part's hook on the gradients."""
        for part in self.parts:
            part.after_backward(learner, step)

    def after_step(self, learner: Learner, step: int) -> None:
        """Run each part's hook after the update."""
        for part in self.parts:
            part.after_step(learner, step)

    def state(self) -> Any:
        """Return the states of all parts."""
        return [part.state() for part in self.parts]

    def load_state(self, state: Any) -> None:
        """Restore the states of all parts."""
        for part, own in zip(self.parts, state, strict=True):
            part.load_state(own)

    def resumable(self) -> bool:
        """Return whether every part is resumable."""
        return all(part.resumable() for part in self.parts)

    def end_stage(self, learner: Learner, bench: Bench) -> None:
        """End the stage in each part."""
        for part in self.parts:
            part.end_stage(learner, bench)

    def stored(self, learner: Learner, trained: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return what remains of `trained` after each part has replaced what it stores in another form."""
        for part in self.parts:
            trained = part.stored(learner, trained)
        return trained

    def finish(self, learner: Learner) -> None:
        """Finish the parts in reverse order: later parts were applied on top of earlier ones."""
        for part in reversed(self._order):
            part.finish(learner)
