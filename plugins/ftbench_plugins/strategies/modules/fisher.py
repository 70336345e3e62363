"""Diagonal Fisher information of a classifier, example by example, and the quadratic penalty based on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from ftbench import Learner
    from numpy.typing import NDArray


def diagonal_fisher(
    learner: Learner,
    batches: Iterable[Mapping[str, Tensor]],
    *,
    form: Literal["exact", "sampled", "empirical"],
    generator: np.random.Generator,
) -> dict[str, Tensor]:
    """Average the squared gradient of the log-likelihood over examples, in evaluation mode.

    Args:
        learner: its active head predicts; the head's own parameters are excluded.
        batches: one example each: the square of a gradient averaged over several would be too small by their number.
        form: `exact` is E_x Σ_y p(y|x)·(∂ log p(y|x))²; `sampled` takes one y drawn from p(y|x) for each x, which is
            correct on average; `empirical` takes the true label, which is not the Fisher information (van de Ven 2025).
        generator: draws the labels of the sampled form.

    Returns:
        Parameter name → information, the parameter's shape.
    """
    learner.eval()
    head = {id(parameter) for parameter in learner.head_parameters()}
    named = [(name, parameter) for name, parameter in learner.trainable() if id(parameter) not in head]
    parameters = [parameter for _, parameter in named]
    totals = [torch.zeros_like(parameter) for parameter in parameters]
    count = 0
    for batch in batches:
        log_probability = torch.log_softmax(learner.forward(batch).logits.float(), -1)[0]
        probability = log_probability.detach().exp().double().cpu().numpy()
        answers = _answers(probability, int(batch["labels"][0]), form, generator)
        for place, answer in enumerate(answers):
            weight = float(probability[answer]) if form == "exact" else 1.0
            again = place + 1 < len(answers)
            gradients = torch.autograd.grad(log_probability[answer], parameters, retain_graph=again, allow_unused=True)
            for total, gradient in zip(totals, gradients, strict=True):
                if gradient is not None:
                    total.addcmul_(gradient, gradient, value=weight)
        count += 1
    return {name: total / max(1, count) for (name, _), total in zip(named, totals, strict=True)}


def _answers(probability: NDArray[np.float64], label: int, form: str, generator: np.random.Generator) -> Sequence[int]:
    """Return the classes at which the gradient is computed."""
    if form == "exact":
        return range(len(probability))
    if form == "empirical":
        return [label]
    return [int(generator.choice(len(probability), p=probability / probability.sum()))]


@dataclass(frozen=True)
class Anchored:
    """Anchor of one parameter: its earlier values, and how much each element matters."""

    weight: Tensor
    """Fisher information, [rows, ...]."""
    place: Tensor
    """Values at the anchor, the same shape."""
    rows: Tensor | None
    """The rows of the parameter; None for all. Embeddings only have information for tokens that occurred."""


def anchor(parameter: Tensor, information: Tensor) -> Anchored:
    """Anchor a parameter at its current value; if most rows have no information, leave those rows out."""
    value = parameter.detach()
    if information.ndim > 1:
        rows = information.flatten(1).any(1).nonzero().squeeze(1)
        if 2 * len(rows) < len(information):
            return Anchored(information[rows], value[rows].clone(), rows)
    return Anchored(information, value.clone(), None)


def quadratic_penalty(parameters: Mapping[str, Tensor], anchors: Mapping[str, Anchored]) -> Tensor:
    """Return Σᵢ Fᵢ·(θᵢ − θ*ᵢ)², a scalar."""
    terms = []
    for name, held in anchors.items():
        value = parameters[name] if held.rows is None else parameters[name][held.rows]
        terms.append(
            _WeightedSquare.apply(value, held.weight, held.place)  # type: ignore[no-untyped-call]  # untyped in torch
        )
    return torch.stack(terms).sum()


class _WeightedSquare(torch.autograd.Function):
    """Σ F·(θ − θ*)², saving its gradient 2·F·(θ − θ*) in the forward pass: half the memory traffic of autograd."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, weight: Tensor, place: Tensor) -> Tensor:
        distance = value - place
        weighted = weight * distance
        ctx.save_for_backward(weighted)
        return torch.dot(weighted.flatten(), distance.flatten())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (weighted,) = ctx.saved_tensors
        return 2 * gradients[0] * weighted, None, None
