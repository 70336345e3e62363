"""Several strategies at once: what each adds or opens trains together (Mao et al. 2022; Ding et al. 2023, section 3)."""

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

# A part that steers the training itself would steer the others too.
_STEERING = {"fit": "trains in its own way", "before_step": "freezes and opens as it goes"}


@dataclass
class Combine(Strategy):
    """All `parts` are put in, one after another; whatever any of them trains, trains, at that part's own learning rate."""

    about: ClassVar[About] = About(
        paper="Mao et al. 2022, arXiv:2110.07577; Ding et al. 2023, doi:10.1038/s42256-023-00626-4",
        equation="that of the parts, together",
        when="LoRA with biases, an adapter with prompts: when one cheap method is not quite enough.",
        limits="Two parts of one kind, two that inject layers of peft, and parts that steer the training collide, and are refused.",
    )

    parts: Annotated[tuple[Strategy, ...], Len(2)]
    """The strategies: names, or tables with `use` and options, in the order in which they are put in."""

    _order: list[Strategy] = field(init=False, repr=False, default_factory=list)
    _trained: list[list[Parameter]] = field(init=False, repr=False, default_factory=list)
    _rates: list[float] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        """Take over what the parts say of themselves.

        Raises:
            PluginError: two parts are of one kind, or a part steers the training.
        """
        mistakes = [f"parts[{place + 1}]: {why}" for place in range(len(self.parts)) for why in self._collisions(place)]
        if mistakes:
            raise PluginError(*mistakes)
        self.needs_sequence = any(part.needs_sequence for part in self.parts)  # type: ignore[misc]  # a matter of the options here
        self.moves_statistics = any(part.moves_statistics for part in self.parts)  # type: ignore[misc]
        promised = [part.starts_within for part in self.parts]
        self.starts_within = None if None in promised else sum(filter(None, promised))  # type: ignore[misc]

    def _collisions(self, place: int) -> list[str]:
        """Tell why a part cannot stand beside those before it."""
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
        """Give the rate of the first part; the others learn at theirs, in proportion."""
        return self.parts[0].lr(card)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Put every part in; what an earlier one trains is opened again after a later one froze it.

        Layers of peft go in first and are merged last: what others hang on a module must see what it gives with them.
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
        """Take each part's own groups for what it trains; what two parts train, the head above all, is the first one's."""
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
        """Take the suite's.

        Raises:
            NotApplicable: a part brings its own, which knows nothing of the other parts.
        """
        for part in self.parts:
            if part.optimizer(learner, groups) is not None:
                message = f"{type(part).__name__} brings its own optimizer with these options, which cannot train the other parts"
                raise NotApplicable(message)
        return None

    def loss(self, learner: Learner, batch: Mapping[str, Tensor], outputs: Any, task_loss: Tensor) -> Tensor:
        """Let each part add to what the one before it gave."""
        for part in self.parts:
            task_loss = part.loss(learner, batch, outputs, task_loss)
        return task_loss

    def after_backward(self, learner: Learner, step: int) -> None:
        """Let each part act on the gradients."""
        for part in self.parts:
            part.after_backward(learner, step)

    def state(self) -> Any:
        """Give what each part gives."""
        return [part.state() for part in self.parts]

    def load_state(self, state: Any) -> None:
        """Let each part go back."""
        for part, own in zip(self.parts, state, strict=True):
            part.load_state(own)

    def resumable(self) -> bool:
        """Tell whether every part can go on."""
        return all(part.resumable() for part in self.parts)

    def end_stage(self, learner: Learner, bench: Bench) -> None:
        """Let each part look back."""
        for part in self.parts:
            part.end_stage(learner, bench)

    def finish(self, learner: Learner) -> None:
        """Finish the parts, the last one first: it was put in on top of the others."""
        for part in reversed(self._order):
            part.finish(learner)
