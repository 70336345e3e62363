"""Apply what a protocol sets about computation: dropout, precision, gradient checkpointing, compilation."""

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
"""torch's compiler backend; tests replace it with a faster one."""


def compute_as(training: Training, learner: Learner, device: torch.device) -> None:
    """Set dropout, precision and gradient checkpointing of a learner that was just loaded, as the protocol asks.

    Raises:
        NotApplicable: the device or the architecture does not support it.
    """
    if training.dropout != "model":
        set_dropout(learner, training.dropout)
    if training.precision != "fp32":
        _refuse_precision(training.precision, device)
        learner.compute_in(training.precision)
    if training.gradient_checkpointing:
        _recompute(learner)


def training_pass(training: Training, learner: Learner) -> Callable[[Mapping[str, Tensor]], Any]:
    """Return the forward pass of a training: the learner's own, or one compiled for it.

    Called after the strategy has made its changes to the learner. Scoring, and what a strategy computes apart from the
    training steps, use the learner's own forward pass.

    Raises:
        UserError: the machine has no compiler.
    """
    if not training.compile:
        return learner.forward
    compiler = os.environ.get("CXX", "g++")
    if learner.device.type == "cpu" and BACKEND == "inductor" and shutil.which(compiler) is None:
        raise UserError(
            f"training.compile: no C++ compiler {compiler!r} on this machine; install one, or set CXX to its path"
        )
    _compile_alone()
    return learner.compiled(BACKEND)


def _compile_alone() -> None:
    """Run torch's compiler in this process: its pool of processes would use more threads than the trial may use."""
    import threading

    from torch._inductor import config
    from tqdm import tqdm

    config.compile_threads = 1
    # The progress bars of the compiler would leave a multiprocessing lock behind.
    tqdm.set_lock(threading.RLock())


def _refuse_precision(precision: str, device: torch.device) -> None:
    import torch

    if device.type == "cuda" and precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        message = f"{torch.cuda.get_device_name(device)} does not support bf16; use fp16 or fp32"
        raise NotApplicable(message)


def _recompute(learner: Learner) -> None:
    """Recompute the activations of residual blocks in the backward pass (Chen et al. 2016, arXiv:1604.06174).

    Uses torch's non-reentrant variant, which works without a gradient at a block's input: a frozen backbone has none.
    """
    model: Any = learner.model
    if not getattr(model, "supports_gradient_checkpointing", False):
        name = learner.card.architecture
        raise NotApplicable(f"{name} cannot recompute its blocks: transformers has no gradient checkpointing for it")
    # Later versions of transformers renamed it.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})
    from transformers.modeling_layers import GradientCheckpointingLayer

    for module in model.modules():
        # A layer that contains such layers would compute them a third time.
        if isinstance(module, GradientCheckpointingLayer):
            inner = (found for found in module.modules() if found is not module)
            module.gradient_checkpointing = not any(isinstance(found, GradientCheckpointingLayer) for found in inner)


def set_dropout(learner: Learner, probability: float) -> None:
    """Set every dropout of the model, including that on attention weights; stochastic depth is not changed.

    Attention modules of transformers store their probability as an attribute. The model's configuration is updated too.

    Raises:
        NotApplicable: the model has no dropout.
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
    """Set the attributes that are dropout probabilities; return whether there were any. GPT-2 calls them `…pdrop`."""
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
