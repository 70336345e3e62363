"""Distances between a student's and a teacher's predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import kl_div, log_softmax, mse_loss

if TYPE_CHECKING:
    from ftbench import OutputType
    from torch import Tensor


def soft_divergence(student: Tensor, teacher: Tensor, temperature: float, valid: Tensor | None = None) -> Tensor:
    """Return T²·KL(softmax(teacher/T) ‖ softmax(student/T)).

    It is summed over classes and averaged over examples or valid tokens. T² keeps the size of the gradient independent
    of the temperature (Hinton et al. 2015, section 2).

    Args:
        student: logits, [batch, classes] or [batch, tokens, classes].
        teacher: logits of the same shape; no gradient flows into them.
        temperature: T.
        valid: which tokens count, boolean, [batch, tokens]; all by default.

    Returns:
        A scalar, in nats.
    """
    divergence = kl_div(
        log_softmax(student.float() / temperature, -1),
        log_softmax(teacher.detach().float() / temperature, -1),
        reduction="none",
        log_target=True,
    ).sum(-1)
    return temperature**2 * (divergence if valid is None else divergence[valid]).mean()


def distance(answer: OutputType, student: Tensor, teacher: Tensor, temperature: float, labels: Tensor) -> Tensor:
    """Return the distance of a student from its teacher for an output type.

    A class or a choice is compared over all classes, tags in the same way at each word. Of several labels, each is
    compared on its own, as present or absent. A number is compared by the squared difference, without temperature.

    Args:
        answer: the output type.
        student: logits, [batch, outputs] or [batch, tokens, outputs].
        teacher: logits of the same shape; no gradient flows into them.
        temperature: T.
        labels: the true labels; tokens with labels below 0 do not count.

    Returns:
        A scalar.
    """
    if answer == "number":
        return mse_loss(student.float(), teacher.detach().float())
    if answer == "labels":
        student, teacher = (torch.stack([logits, torch.zeros_like(logits)], -1) for logits in (student, teacher))
    return soft_divergence(student, teacher, temperature, labels >= 0 if answer == "tags" else None)
