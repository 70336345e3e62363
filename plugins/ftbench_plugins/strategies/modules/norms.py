"""Find the normalisations of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

if TYPE_CHECKING:
    from ftbench import Learner


def normalisations(learner: Learner, *, front: bool = False) -> list[nn.Module]:
    """List layer, group and batch normalisations outside the heads; a convolutional front end's only with `front`."""
    left_out = [*learner.head, *([] if front else learner.modules("feature_encoder"))]
    outside = {id(inner) for module in left_out for inner in module.modules()}
    kinds = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, _BatchNorm)
    return [
        module
        for module in learner.model.modules()
        if (isinstance(module, kinds) or is_layer_norm(module))
        and any(True for _ in module.parameters())
        and id(module) not in outside
    ]


def is_layer_norm(module: nn.Module) -> bool:
    """Return whether a module is a layer norm, with or without mean subtraction; several networks define their own.

    A module with children is not one: whole encoders are named `EncoderStableLayerNorm`.
    """
    named = type(module).__name__.endswith(("LayerNorm", "RMSNorm")) and next(module.children(), None) is None
    return isinstance(module, nn.LayerNorm | nn.RMSNorm) or named
