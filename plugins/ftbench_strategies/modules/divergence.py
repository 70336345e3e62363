"""How far a student's answers are from a teacher's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import kl_div, log_softmax, mse_loss

if TYPE_CHECKING:
    from ftbench import OutputType
    from torch import Tensor


def soft_divergence(student: Tensor, teacher: Tensor, temperature: float, valid: Tensor | None = None) -> Tensor:
    """Give T²·KL(softmax(teacher/T) ‖ softmax(student/T)), summed over classes, averaged over examples or valid tokens.

    T² keeps the size of the gradient independent of the temperature (Hinton et al. 2015, section 2).

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
    """Give how far a student is from its teacher, as the kind of answer wants it measured.

    A class or a choice is compared over all classes, a tag so at each word; of several classes each is compared by itself, against
    that it does not hold; a number by the squared difference, which no temperature softens.

    Args:
        answer: what is asked for.
        student: logits, [batch, outputs] or [batch, tokens, outputs].
        teacher: logits of the same shape; no gradient flows into them.
        temperature: T.
        labels: what is wanted; tokens that are below 0 do not count.

    Returns:
        A scalar.
    """
    if answer == "number":
        return mse_loss(student.float(), teacher.detach().float())
    if answer == "labels":
        student, teacher = (torch.stack([logits, torch.zeros_like(logits)], -1) for logits in (student, teacher))
    return soft_divergence(student, teacher, temperature, labels >= 0 if answer == "tags" else None)
