"""How far a student's answers are from a teacher's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import kl_div, log_softmax

if TYPE_CHECKING:
    from torch import Tensor


def soft_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Give T²·KL(softmax(teacher/T) ‖ softmax(student/T)), summed over classes, averaged over the batch.

    T² keeps the size of the gradient independent of the temperature (Hinton et al. 2015, section 2).

    Args:
        student: logits, [batch, classes].
        teacher: logits, [batch, classes]; no gradient flows into them.
        temperature: T.

    Returns:
        A scalar, in nats.
    """
    divergence = kl_div(
        log_softmax(student.float() / temperature, -1),
        log_softmax(teacher.detach().float() / temperature, -1),
        reduction="batchmean",
        log_target=True,
    )
    return temperature**2 * divergence
