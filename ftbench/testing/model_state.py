"""Copy, compare and disturb the state of a model under test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ..api.learner import Learner


def nudge(learner: Learner) -> None:
    """Perturb every trainable parameter slightly, so that a penalty on changes becomes visible."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _, parameter in learner.trainable():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)


def copies(learner: Learner) -> dict[str, Tensor]:
    """Return copies of all parameters and buffers, by name."""
    named = {**dict(learner.model.named_parameters()), **dict(learner.model.named_buffers())}
    return {name: tensor.detach().clone() for name, tensor in named.items()}


def same(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are equal bit by bit."""
    import torch

    return one.shape == other.shape and torch.equal(one, other)


def largest_gap(one: Tensor, other: Tensor) -> float:
    """Return the largest difference between two tensors."""
    return float((one - other).abs().max())


def has_dropout(learner: Learner) -> bool:
    """Return whether a network draws random numbers in training."""
    from torch import nn

    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in learner.model.modules())


def shorten(names: list[str]) -> str:
    """Return at most three names, and the number of the others."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
