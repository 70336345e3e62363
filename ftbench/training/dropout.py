"""The probability with which a network drops what it computes in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import NotApplicable

if TYPE_CHECKING:
    from ..api.backbone import Learner


def set_dropout(learner: Learner, probability: float) -> None:
    """Set every dropout of the model, that on attention weights included; stochastic depth stays as it is.

    The attention of transformers keeps its probability as a number of the module. The configuration follows.

    Raises:
        NotApplicable: there is none.
    """
    from torch.nn.modules.dropout import _DropoutNd

    found = False
    for module in learner.model.modules():
        if isinstance(module, _DropoutNd):
            module.p = probability
            found = True
        found |= _set_numbers(module, probability)
    if probability and not found:
        message = f"{learner.card.architecture} has no dropout that could be set to {probability}"
        raise NotApplicable(message)
    if hasattr(learner.model, "config"):
        _set_numbers(learner.model.config, probability)


def _set_numbers(holder: Any, probability: float) -> bool:
    """Set the attributes that are probabilities of dropout; tells whether there were any. GPT-2 calls them `…pdrop`."""
    names = [
        name
        for name, value in vars(holder).items()
        if ("dropout" in name or name.endswith("pdrop")) and isinstance(value, int | float) and not isinstance(value, bool)
    ]
    for name in names:
        setattr(holder, name, probability)
    return bool(names)
