"""How a learner computes: what a protocol decides of it that no strategy does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dropout import set_dropout
from .errors import NotApplicable

if TYPE_CHECKING:
    import torch

    from .backbone import Learner
    from .suite import Training


def compute_as(training: Training, learner: Learner, device: torch.device) -> None:
    """Let a learner that was just loaded compute as the protocol says.

    Raises:
        NotApplicable: the device or the architecture cannot.
    """
    if training.dropout != "model":
        set_dropout(learner, training.dropout)
    if training.precision != "fp32":
        _refuse_precision(training.precision, device)
        learner.compute_in(training.precision)


def _refuse_precision(precision: str, device: torch.device) -> None:
    import torch

    if device.type == "cuda" and precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        message = f"{torch.cuda.get_device_name(device)} does not compute in bf16; take fp16 or fp32"
        raise NotApplicable(message)
