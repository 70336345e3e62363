"""Bottleneck adapters, inserted into a network by forward hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class Bottleneck(nn.Module):
    """h + W_up·σ(W_down·h), on the last dimension, or on the channels of a feature map.

    Weights start from a normal of deviation 1e-3 truncated at two deviations, biases at zero: near the identity
    (Houlsby et al. 2019, section 2.1).
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
        # In a half-precision model, the adapters stay in full precision, like peft's.
        adapted: Tensor = hidden + self.up(self.activation(self.down(hidden.to(self.down.weight.dtype)))).to(
            hidden.dtype
        )
        return adapted


def insert_adapters(
    model: nn.Module, exits: Sequence[nn.Module], bottleneck: int, activation: str, device: torch.device
) -> None:
    """Insert an adapter after each of `exits`; they become parameters of `model` as `ftbench_adapters`."""
    adapters = nn.ModuleList(Bottleneck(_width(model, place), bottleneck, activation) for place in exits).to(device)
    model.add_module("ftbench_adapters", adapters)
    for place, adapter in zip(exits, adapters, strict=True):
        place.register_forward_hook(_Through(adapter))


class ParallelBottleneck(nn.Module):
    """s·W_up·σ(W_down·h); W_up starts at zero, W_down like LoRA's A (He et al. 2022, table 1 and appendix A)."""

    def __init__(self, width: int, bottleneck: int, activation: str, scale: float) -> None:
        super().__init__()
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        self.activation = nn.GELU() if activation == "gelu" else nn.ReLU()
        self.scale = scale
        nn.init.kaiming_uniform_(self.down.weight, a=5**0.5)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return what is added to the feed-forward part's output; both [..., width]."""
        added: Tensor = self.scale * self.up(self.activation(self.down(hidden.to(self.down.weight.dtype)))).to(
            hidden.dtype
        )
        return added


def insert_parallel_adapters(
    model: nn.Module,
    beside: Sequence[tuple[nn.Module, nn.Module]],
    bottleneck: int,
    activation: str,
    scale: float,
    *,
    device: torch.device,
) -> None:
    """Add an adapter in parallel to each feed-forward part, given by its first module and its output module."""
    adapters = nn.ModuleList(
        ParallelBottleneck(_entry_width(entry), bottleneck, activation, scale) for entry, _ in beside
    ).to(device)
    model.add_module("ftbench_adapters", adapters)
    for (entry, leaving), adapter in zip(beside, adapters, strict=True):
        hook = _Beside(adapter)
        entry.register_forward_pre_hook(hook.enter)
        leaving.register_forward_hook(hook.leave)


class _Beside:
    """A pair of hooks that send a part's input through an adapter and add the result to the part's output."""

    def __init__(self, adapter: nn.Module) -> None:
        self.adapter = adapter
        self._input: Tensor | None = None

    def enter(self, module: nn.Module, arguments: Any) -> None:
        self._input = arguments[0]

    def leave(self, module: nn.Module, arguments: Any, output: Tensor) -> Tensor:
        assert self._input is not None
        added: Tensor = output + self.adapter(self._input)
        self._input = None
        return added


class _Through:
    """A forward hook that sends a module's output through an adapter."""

    def __init__(self, adapter: nn.Module) -> None:
        self.adapter = adapter

    def __call__(self, module: nn.Module, arguments: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (self.adapter(output[0]), *output[1:])
        return self.adapter(output)


def _entry_width(entry: nn.Module) -> int:
    """Return the width of a linear map's input; GPT-2 stores weights as [in, out]."""
    base: Any = getattr(entry, "base_layer", entry)
    return int(base.in_features if isinstance(base, nn.Linear) else base.weight.shape[0])


def _width(model: nn.Module, place: nn.Module) -> int:
    """Return the width of a module's output, from its own last weight or from the model's configuration."""
    for module in reversed(list(place.modules())):
        if isinstance(module, nn.Conv2d):
            return module.out_channels
        if isinstance(module, nn.Linear):
            return module.out_features
    config: Any = model.config
    return int(config.hidden_size)
