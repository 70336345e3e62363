"""Choose the matrices that a strategy adapts, by role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ftbench import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftbench import Learner, ModelCard

Role = Literal["query", "key", "value", "attention_output", "ffn_in", "ffn_out", "conv"]


def refuse_without(card: ModelCard, targets: Sequence[str], instead: str = "") -> None:
    """Refuse a backbone that has none of the roles and not the substitute role `instead`.

    Raises:
        NotApplicable: the backbone is refused; the message names the missing roles.
    """
    if not {*targets, instead} & card.roles:
        other = f" and no {instead}" if instead else ""
        message = f"{card.architecture} has no {', no '.join(targets)}{other} modules to adapt"
        raise NotApplicable(message)


def named(learner: Learner, targets: Sequence[str], instead: str = "") -> list[str]:
    """List the names of the modules that fill the roles, each once; if there are none, those of `instead`."""
    names = dict.fromkeys(name for role in targets for name in learner.names(role))
    return list(names) or list(learner.names(instead))
