"""The diagonal Fisher information of a classifier, example by example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ftbench import Learner
    from torch import Tensor


def diagonal_fisher(learner: Learner, batches: Iterable[Mapping[str, Tensor]], *, exact: bool) -> dict[str, Tensor]:
    """Average the squared gradient of the log-likelihood over examples, in evaluation mode.

    Args:
        learner: its active head answers; the head's own parameters are left out.
        batches: one example each: a gradient averaged over several, then squared, is too small by their number.
        exact: E_x Σ_y p(y|x)·(∂ log p(y|x))², rather than the same at the true label only (the empirical form).

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
        answers = range(len(log_probability)) if exact else [int(batch["labels"][0])]
        for place, answer in enumerate(answers):
            weight = float(log_probability[answer].exp().detach()) if exact else 1.0
            again = place + 1 < len(answers)
            gradients = torch.autograd.grad(log_probability[answer], parameters, retain_graph=again, allow_unused=True)
            for total, gradient in zip(totals, gradients, strict=True):
                if gradient is not None:
                    total.addcmul_(gradient, gradient, value=weight)
        count += 1
    return {name: total / max(1, count) for (name, _), total in zip(named, totals, strict=True)}


def quadratic_penalty(learner: Learner, fisher: Mapping[str, Tensor], anchor: Mapping[str, Tensor]) -> Tensor:
    """Give Σᵢ Fᵢ·(θᵢ − θ*ᵢ)², a scalar."""
    parameters = dict(learner.trainable())
    terms = [(fisher[name] * (parameters[name] - anchor[name]).square()).sum() for name in fisher]
    return torch.stack(terms).sum()
