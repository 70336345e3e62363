"""Inject peft's layers into a learner in place, and merge them into the weights at the end.

The tuner is created directly: `get_peft_model` would wrap and rename the model and copy its head, and
`inject_adapter_in_model` refuses the methods that share matrices between layers.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from ftbench import Learner
    from torch import Tensor


def inject(learner: Learner, config: Any) -> Any:
    """Freeze the backbone, inject the layers of `config` into the model, and return peft's tuner."""
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING

    learner.freeze_backbone()
    with warnings.catch_warnings():
        # Modules are named one by one, so peft's warnings about their types do not apply.
        warnings.simplefilter("ignore", UserWarning)
        tuner = PEFT_TYPE_TO_TUNER_MAPPING[config.peft_type](learner.model, {"default": config}, "default")
    learner.train_head()
    return tuner


def inject_prompt(learner: Learner, config: Any) -> None:
    """Freeze the backbone and route forward passes through peft's virtual tokens.

    The tokens' encoder becomes part of the model as `ftbench_peft_prompt`; the heads stay the learner's own.
    """
    from peft import PeftModelForSequenceClassification, TaskType

    learner.freeze_backbone()
    heads = dict(zip(learner.roles.head, learner.head, strict=True))
    config.task_type = TaskType.SEQ_CLS
    wrapped = PeftModelForSequenceClassification(learner.model, config)
    for name, module in heads.items():
        parent, _, leaf = name.rpartition(".")
        setattr(learner.model.get_submodule(parent), leaf, module)
    learner.model.add_module("ftbench_peft_prompt", wrapped.prompt_encoder)
    learner.train_head()
    learner.forward_through(wrapped)


def is_transposed(learner: Learner, names: list[str]) -> bool:
    """Return whether all of the modules store their weight as [in, out], like GPT-2's."""
    return {type(learner.model.get_submodule(name)).__name__ for name in names} == {"Conv1D"}


def write_adapter(learner: Learner, folder: Path) -> None:
    """Write the injected layers and the heads in the format of `PeftModel.from_pretrained`."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    model: Any = learner.model
    config = model.peft_config["default"]
    weights = {
        f"base_model.model.{name}": tensor
        for name, tensor in get_peft_model_state_dict(model, adapter_name="default").items()
    }
    for name, module in zip(learner.roles.head, learner.head, strict=True):
        weights |= {f"base_model.model.{name}.{inner}": tensor for inner, tensor in module.state_dict().items()}
    config.modules_to_save = list(learner.roles.head)
    config.task_type = "SEQ_CLS"
    config.inference_mode = True
    config.save_pretrained(folder)
    save_file(
        {name: tensor.detach().cpu().clone().contiguous() for name, tensor in weights.items()},
        folder / "adapter_model.safetensors",
    )


def merge(learner: Learner) -> None:
    """Merge every mergeable peft layer into its weight, and remove it."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(learner.model.named_modules()):
        if isinstance(module, BaseTunerLayer) and hasattr(module, "merge"):
            try:
                module.merge()
            except NotImplementedError:
                continue
            parent, _, leaf = name.rpartition(".")
            base = module.get_base_layer()
            # Another strategy may have hooks on this module: keep them.
            base._forward_hooks.update(module._forward_hooks)  # noqa: SLF001 - torch has no public way to move a hook
            base._forward_pre_hooks.update(module._forward_pre_hooks)  # noqa: SLF001 - as above
            setattr(learner.model.get_submodule(parent), leaf, base)


def orthogonality(learner: Learner) -> Tensor:
    """Return the mean over AdaLoRA's factors of ‖PPᵀ − I‖ and ‖QᵀQ − I‖ (Zhang et al. 2023, equation 4), a scalar."""
    import torch

    terms = []
    for name, parameter in learner.model.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            gram = parameter @ parameter.T if "lora_A" in name else parameter.T @ parameter
            terms.append(torch.linalg.matrix_norm(gram - torch.eye(len(gram), device=gram.device)))
    return torch.stack(terms).mean()
