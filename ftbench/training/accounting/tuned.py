"""Count what a training changed, and the bytes that must be kept to rebuild the tuned model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...api.footprint import Tuned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch.nn import Parameter

    from ...api.learner import Learner
    from ...api.meter import Trace
    from ...api.strategy import Strategy


def trained_parameters(learner: Learner, traces: Sequence[Trace]) -> list[Parameter]:
    """Return every parameter that the optimizer of a training was given, once; call it before the strategy finishes."""
    named = dict(learner.named_parameters())
    names = {_current_name(learner, trace.task, name) for trace in traces for name in trace.trained}
    return [parameter for name, parameter in named.items() if name in names]


def _current_name(learner: Learner, task: str, name: str) -> str:
    """Return the present name of a parameter from its name while the head of `task` was active."""
    if name.startswith("heads."):
        owner, _, rest = name.removeprefix("heads.").partition(".")
        return rest if owner == learner.active else name
    return f"heads.{task}.{name}" if task != learner.active and _in_head(learner, name) else name


def _in_head(learner: Learner, name: str) -> bool:
    return name.startswith(("heads.", *(f"{module}." for module in learner.roles.head)))


def tuned(learner: Learner, strategy: Strategy, parameters: Iterable[Parameter]) -> Tuned:
    """Count trained parameters and stored bytes, before the strategy finishes.

    Args:
        learner: the trained model.
        strategy: the strategy that trained it.
        parameters: what optimizers were given; what the learner adopted is added.
    """
    chosen = {id(parameter) for parameter in (*parameters, *learner.adopted)}
    trained = {name: parameter for name, parameter in learner.named_parameters() if id(parameter) in chosen}
    head = sum(parameter.numel() for name, parameter in trained.items() if _in_head(learner, name))
    whole = sum(parameter.numel() for parameter in trained.values())
    return Tuned(whole - head, head, _stored_bytes(learner, strategy, trained))


def _stored_bytes(learner: Learner, strategy: Strategy, trained: Mapping[str, Parameter]) -> int:
    if not trained:
        return 0
    stored = {**strategy.stored(learner, trained), **learner.moving_statistics()}
    return sum(tensor.nbytes for tensor in stored.values())
