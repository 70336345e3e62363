"""Weighted features from all layers, with learned weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ftbench import Learner


class LayerMix(nn.Module):
    """Σᵢ softmax(w)ᵢ·hᵢ over the first block's input and each block's output (Yang et al. 2021, section 3).

    `weights` has shape [blocks + 1] and starts at zero: the plain mean.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))
        self._seen: list[Tensor] = []

    def enter(self, module: nn.Module, arguments: Any) -> None:
        """Record the first block's input."""
        self._seen = [arguments[0]]

    def leave(self, module: nn.Module, arguments: Any, output: Any) -> Any:
        """Record a block's output, and return the mix instead of the last one's."""
        hidden = output[0] if isinstance(output, tuple) else output
        self._seen.append(hidden)
        if len(self._seen) < len(self.weights):
            return None
        mixed = torch.einsum("l,l...->...", self.weights.softmax(0), torch.stack(self._seen))
        self._seen = []
        return (mixed, *output[1:]) if isinstance(output, tuple) else mixed


def mix_layers(learner: Learner, device: torch.device) -> LayerMix:
    """Connect the head to a mix of all layers; its weights become a parameter of the model as `ftbench_layer_mix`."""
    blocks = learner.blocks()
    mix = LayerMix(len(blocks) + 1).to(device)
    learner.model.add_module("ftbench_layer_mix", mix)
    blocks[0].register_forward_pre_hook(mix.enter)
    for block in blocks:
        block.register_forward_hook(mix.leave)
    return mix
