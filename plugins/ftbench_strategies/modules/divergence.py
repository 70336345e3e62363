"""How far a student's answers are from a teacher's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import kl_div, log_softmax

if TYPE_CHECKING:
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
