"""Features from all layers at once, each with a learnt weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ftbench import Learner


class LayerMix(nn.Module):
    """Σᵢ softmax(w)ᵢ·hᵢ over what enters the first block and what leaves each (Yang et al. 2021, section 3).

    `weights` has shape [blocks + 1] and begins at zero: the plain mean.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))
        self._seen: list[Tensor] = []

    def enter(self, module: nn.Module, arguments: Any) -> None:
        """Take what enters the first block."""
        self._seen = [arguments[0]]

    def leave(self, module: nn.Module, arguments: Any, output: Any) -> Any:
        """Take what leaves a block, and give the mix for what leaves the last."""
        hidden = output[0] if isinstance(output, tuple) else output
        self._seen.append(hidden)
        if len(self._seen) < len(self.weights):
            return None
        mixed = torch.einsum("l,l...->...", self.weights.softmax(0), torch.stack(self._seen))
        self._seen = []
        return (mixed, *output[1:]) if isinstance(output, tuple) else mixed


def mix_layers(learner: Learner, device: torch.device) -> LayerMix:
    """Let the head read a mix of all layers; its weights become a parameter of the model as `ftbench_layer_mix`."""
    blocks = learner.blocks()
    mix = LayerMix(len(blocks) + 1).to(device)
    learner.model.add_module("ftbench_layer_mix", mix)
    blocks[0].register_forward_pre_hook(mix.enter)
    for block in blocks:
        block.register_forward_hook(mix.leave)
    return mix
