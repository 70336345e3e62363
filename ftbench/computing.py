"""How a learner computes: what a protocol decides of it that no strategy does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    if training.gradient_checkpointing:
        _recompute(learner)


def _refuse_precision(precision: str, device: torch.device) -> None:
    import torch

    if device.type == "cuda" and precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        message = f"{torch.cuda.get_device_name(device)} does not compute in bf16; take fp16 or fp32"
        raise NotApplicable(message)


def _recompute(learner: Learner) -> None:
    """Let residual blocks forget what they computed and compute it again in the backward pass (Chen et al. 2016, arXiv:1604.06174).

    torch's form that needs no gradient at a block's input is taken: below a frozen backbone there is none.
    """
    model: Any = learner.model
    if not getattr(model, "supports_gradient_checkpointing", False):
        message = f"{learner.card.architecture} cannot compute its blocks again: transformers has no gradient checkpointing for it"
        raise NotApplicable(message)
    # Later versions of transformers have a new name for it.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})
    from transformers.modeling_layers import GradientCheckpointingLayer

    for module in model.modules():
        # What holds such layers would have them computed a third time.
        if isinstance(module, GradientCheckpointingLayer):
            inner = (found for found in module.modules() if found is not module)
            module.gradient_checkpointing = not any(isinstance(found, GradientCheckpointingLayer) for found in inner)
