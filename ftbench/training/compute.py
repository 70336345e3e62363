"""How a learner computes: what a protocol decides of it that no strategy does."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from ..errors import NotApplicable, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch
    from torch import Tensor

    from ..api.learner import Learner
    from ..api.protocol import Training


BACKEND = "inductor"
"""torch's compiler; in tests a quicker one takes its place."""


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


def training_pass(training: Training, learner: Learner) -> Callable[[Mapping[str, Tensor]], Any]:
    """Give the forward pass of a training: the learner's own, or one that is compiled for it.

    Called when the strategy has changed what it changes. Scores, and what a strategy computes beside, go through the learner's own.

    Raises:
        UserError: the machine has no compiler.
    """
    if not training.compile:
        return learner.forward
    compiler = os.environ.get("CXX", "g++")
    if learner.device.type == "cpu" and BACKEND == "inductor" and shutil.which(compiler) is None:
        raise UserError(
            f"training.compile: there is no C++ compiler {compiler!r} on this machine; install one, or set CXX to its path"
        )
    _compile_alone()
    return learner.compiled(BACKEND)


def _compile_alone() -> None:
    """Keep torch's compiler within the trial: a pool of its processes would take more threads than the trial was given."""
    import threading

    from torch._inductor import config
    from tqdm import tqdm

    config.compile_threads = 1
    # Its progress bars would leave a lock between processes behind.
    tqdm.set_lock(threading.RLock())


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


def set_dropout(learner: Learner, probability: float) -> None:
    """Set every dropout of the model, that on attention weights included; stochastic depth stays as it is.

    The attention of transformers keeps its probability as a number of the module. The configuration follows.

    Raises:
        NotApplicable: there is none.
    """
    from torch.nn.modules.dropout import _DropoutNd

    found = False
    for module in learner.model.modules():
        if isinstance(module, _DropoutNd):
            module.p = probability
            found = True
        found |= _set_numbers(module, probability)
    if probability and not found:
        message = f"{learner.card.architecture} has no dropout that could be set to {probability}"
        raise NotApplicable(message)
    if hasattr(learner.model, "config"):
        _set_numbers(learner.model.config, probability)


def _set_numbers(holder: Any, probability: float) -> bool:
    """Set the attributes that are probabilities of dropout; tells whether there were any. GPT-2 calls them `…pdrop`."""
    names = [
        name
        for name, value in vars(holder).items()
        if ("dropout" in name or name.endswith("pdrop"))
        and isinstance(value, int | float)
        and not isinstance(value, bool)
    ]
    for name in names:
        setattr(holder, name, probability)
    return bool(names)
