"""(IA)³ on a matrix that projects queries, keys and values at once: rescale keys and values only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

if TYPE_CHECKING:
    from ftbench import Learner


class WithoutQueries(nn.Module):
    """All scales: ones for queries, which do not train, before the trained ones of keys and values.

    Args:
        queries: number of outputs that are queries.
        shape: shape of all scales.
    """

    def __init__(self, queries: int, shape: torch.Size) -> None:
        super().__init__()
        self.queries, self.shape = queries, shape

    def forward(self, trained: Tensor) -> Tensor:
        """Return all scales; `trained` has shape [keys + values]."""
        return torch.cat([trained.new_ones(self.queries), trained]).view(self.shape)

    def right_inverse(self, scales: Tensor) -> Tensor:
        """Return the scales that train, shape [keys + values]."""
        return scales.flatten()[self.queries :]


def spare_queries(learner: Learner) -> None:
    """Fix the scales of queries at one in every matrix that projects them together with keys and values."""
    fused = set(learner.names("query")) & set(learner.names("key"))
    for name in sorted(fused):
        layer = learner.model.get_submodule(name)
        scales = layer.ia3_l["default"]  # type: ignore[index]  # a dictionary of parameters
        parametrize.register_parametrization(
            layer.ia3_l,  # type: ignore[arg-type]  # as above
            "default",
            WithoutQueries(scales.numel() // 3, scales.shape),
        )


def whole_scales(model: nn.Module) -> dict[str, Tensor]:
    """Return the scales with the ones for queries, by the names of their layers in peft's files."""
    return {
        name: module["default"].detach()
        for name, module in model.named_modules()
        if name.endswith(".ia3_l") and parametrize.is_parametrized(module)
    }
