"""AdamW for LoRA with fixed matrices A: the gradient of B is corrected for them (Zhang et al. 2023; LoRA-FA)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    Pair = tuple[nn.Parameter, nn.Parameter, float]
    """Fixed A, trained B and the factor s of an update s·B·A."""


class FixedAAdamW(torch.optim.AdamW):
    """AdamW, with the gradient g of each B replaced by s⁻²·g·(A·Aᵀ)⁻¹, as peft's `LoraFAOptimizer` does in each step.

    The change of s·B·A is then the closest to the step on the whole matrix that a fixed A allows. A is not a parameter
    of the optimizer.

    Args:
        groups: the groups of everything that trains.
        pairs: the matrices of each update.
        options: further options of `AdamW`.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], pairs: Sequence[Pair], **options: Any) -> None:
        super().__init__(groups, **options)
        self._pairs = pairs

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Correct the gradients, then update."""
        with torch.no_grad():
            for fixed, trained, scale in self._pairs:
                if trained.grad is not None:
                    trained.grad.copy_(corrected(trained.grad, fixed, scale))
        return super().step(closure)


def corrected(gradient: Tensor, fixed: Tensor, scale: float) -> Tensor:
    """Return s⁻²·g·(A·Aᵀ + δI)⁻¹ in the shape of the gradient.

    Args:
        gradient: of B, [out, rank], or [out, rank, 1, 1] of a convolution.
        fixed: A, [rank, in], or [rank, in, height, width].
        scale: s.
    """
    rows = fixed.flatten(1)
    gram = rows @ rows.T + 1e-8 * torch.eye(len(rows), device=rows.device, dtype=rows.dtype)
    found: Tensor = gradient.flatten(1) @ torch.linalg.pinv(gram) / scale**2
    return found.view_as(gradient)


def pairs_of(model: nn.Module) -> list[Pair]:
    """List the matrices of every LoRA update in a network."""
    from peft.tuners.lora import LoraLayer

    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    return [
        (
            cast("nn.Parameter", layer.lora_A["default"].weight),
            cast("nn.Parameter", layer.lora_B["default"].weight),
            float(layer.scaling["default"]),
        )
        for layer in layers
    ]
