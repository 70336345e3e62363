"""Bottleneck adapters, put into a network by forward hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class Bottleneck(nn.Module):
    """h + W_up·σ(W_down·h), on the last dimension, or on the channels of a feature map.

    Weights begin as a normal of deviation 1e-3 cut at two deviations, biases at zero: near the identity (Houlsby et al.
    2019, section 2.1).
    """

    def __init__(self, width: int, bottleneck: int, activation: str) -> None:
        super().__init__()
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        self.activation = nn.GELU() if activation == "gelu" else nn.ReLU()
        for linear in (self.down, self.up):
            nn.init.trunc_normal_(linear.weight, std=1e-3, a=-2e-3, b=2e-3)
            nn.init.zeros_(linear.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Adapt `hidden`: [..., width], or [batch, width, height, width of the map]."""
        if hidden.ndim == 4 and hidden.shape[-1] != self.down.in_features:
            return self.forward(hidden.movedim(1, -1)).movedim(-1, 1)
        adapted: Tensor = hidden + self.up(self.activation(self.down(hidden)))
        return adapted


def insert_adapters(model: nn.Module, exits: Sequence[nn.Module], bottleneck: int, activation: str, device: torch.device) -> None:
    """Put an adapter behind each of `exits`; they become parameters of `model` as `ftbench_adapters`."""
    adapters = nn.ModuleList(Bottleneck(_width(model, place), bottleneck, activation) for place in exits).to(device)
    model.add_module("ftbench_adapters", adapters)
    for place, adapter in zip(exits, adapters, strict=True):
        place.register_forward_hook(_Through(adapter))


class _Through:
    """A forward hook that sends a module's output through an adapter."""

    def __init__(self, adapter: nn.Module) -> None:
        self.adapter = adapter

    def __call__(self, module: nn.Module, arguments: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (self.adapter(output[0]), *output[1:])
        return self.adapter(output)


def _width(model: nn.Module, place: nn.Module) -> int:
    """Find how wide a module's output is: its own last weight tells, or the model's configuration."""
    for module in reversed(list(place.modules())):
        if isinstance(module, nn.Conv2d):
            return module.out_channels
        if isinstance(module, nn.Linear):
            return module.out_features
    config: Any = model.config
    return int(config.hidden_size)
