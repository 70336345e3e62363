"""Inject peft's layers into a learner in place, and merge them into the weights at the end.

The tuner is created directly: `get_peft_model` would wrap and rename the model and copy its head, and
`inject_adapter_in_model` refuses the methods that share matrices between layers.
"""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping
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


def inject_prompt(learner: Learner, config: Any) -> Any:
    """Freeze the backbone, route forward passes through peft's virtual tokens, and return peft's model.

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
    return wrapped


def is_transposed(learner: Learner, names: list[str]) -> bool:
    """Return whether all of the modules store their weight as [in, out], like GPT-2's."""
    return {type(learner.model.get_submodule(name)).__name__ for name in names} == {"Conv1D"}


_TASKS = {"class": "SEQ_CLS", "labels": "SEQ_CLS", "number": "SEQ_CLS", "tags": "TOKEN_CLS", "span": "QUESTION_ANS"}
"""Output type → what peft calls the task."""


class _Wrapped(nn.Module):
    """A tuner under the names that it has inside a `PeftModel`."""

    def __init__(self, tuner: Any) -> None:
        super().__init__()
        self.base_model, self.peft_config = tuner, tuner.peft_config

    def __getattr__(self, name: str) -> Any:
        """Look up what `PeftModel` finds in its tuner too."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base_model"), name)


def adapter_state(tuner: Any) -> tuple[Any, dict[str, Tensor]]:
    """Return the configuration and the tensors that peft saves of its layers, by the names in its files."""
    from peft import PeftModel, get_peft_model_state_dict

    config = tuner.peft_config["default"]
    saved, before = copy.deepcopy(config), getattr(config, "rank_pattern", None)
    wrapped = tuner if isinstance(tuner, PeftModel) else _Wrapped(tuner)
    weights = get_peft_model_state_dict(wrapped, save_embedding_layers=False)
    if before is not None:
        # AdaLoRA saves the allocated ranks only, and renames them in the configuration, which is still needed.
        saved.rank_pattern, config.rank_pattern = config.rank_pattern, before
    return saved, weights


def saved_by_peft(learner: Learner, tuner: Any, trained: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `trained` with what peft saves in place of its layers.

    A matrix that trained is stored merged with its update, under the name it has then.
    """
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer

    _, weights = adapter_state(tuner)
    if isinstance(tuner, PeftModel):
        kept = {name: tensor for name, tensor in trained.items() if not name.startswith("ftbench_peft_prompt.")}
        return {**kept, **weights}
    identities = {id(parameter) for parameter in trained.values()}
    added: set[str] = set()
    merged: dict[str, str] = {}
    for name, module in learner.model.named_modules():
        if isinstance(module, BaseTunerLayer):
            base = {id(parameter) for parameter in module.get_base_layer().parameters()}
            added |= {f"{name}.{own}" for own, p in module.named_parameters() if id(p) not in base}
            if hasattr(module, "merge") and id(module.get_base_layer().weight) in identities:
                prefix = f"base_model.model.{name}."
                weights = {key: tensor for key, tensor in weights.items() if not key.startswith(prefix)}
                merged[f"{name}.base_layer.weight"] = f"{name}.weight"
    kept = {merged.get(name, name): tensor for name, tensor in trained.items() if name not in added}
    state = learner.model.state_dict()
    present = {name.replace(f".default{end}", ""): (name, state[name]) for end in ("", ".weight") for name in state}
    for key, tensor in weights.items():
        name, own = present.get(key.removeprefix("base_model.model."), (key, tensor))
        kept[name if own.shape == tensor.shape else key] = tensor
    return kept


def write_adapter(learner: Learner, tuner: Any, folder: Path) -> None:
    """Write the injected layers and the heads in the format of `PeftModel.from_pretrained`.

    Raises:
        UserError: peft does not save such a head together with virtual tokens.
    """
    from ftbench import UserError
    from peft import PeftModel
    from safetensors.torch import save_file

    from .fused_scales import whole_scales

    assert learner.task is not None
    config, weights = adapter_state(tuner)
    for layer, scales in whole_scales(learner.model).items():
        weights = {name: tensor for name, tensor in weights.items() if f".{layer}." not in name}
        weights[f"base_model.model.{layer}"] = scales
    is_prompt = isinstance(tuner, PeftModel)
    if is_prompt and not {"classifier", "score"}.issuperset(learner.roles.head):
        heads = " and ".join(learner.roles.head)
        raise UserError(f"peft saves no more than a classifier with virtual tokens, and the head is {heads}")
    prefix = "base_model" if is_prompt else "base_model.model"
    for name, module in zip(learner.roles.head, learner.head, strict=True):
        weights |= {f"{prefix}.{name}.{inner}": tensor for inner, tensor in module.state_dict().items()}
    if not is_prompt:
        config.modules_to_save = list(learner.roles.head)
        # peft's own classes pass on the inputs of texts only.
        config.task_type = _TASKS.get(learner.task.answer) if learner.card.modality == "text" else None
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


def without_lowest_ranks(stored: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """Return AdaLoRA's tensors with `rank` ranks for every matrix: the size they have on average after allocation."""
    axes = {"lora_A": 0, "lora_B": 1, "lora_E": 0}
    found = dict(stored)
    for name, tensor in stored.items():
        axis = next((axis for part, axis in axes.items() if part in name), None)
        if axis is not None:
            found[name] = tensor.narrow(axis, 0, min(rank, tensor.shape[axis]))
    return found


def is_simulated(learner: Learner) -> bool:
    """Return whether the learner's tensors have no values."""
    from torch._subclasses.fake_tensor import FakeTensor

    return isinstance(next(learner.model.parameters()), FakeTensor)


def orthogonality(learner: Learner) -> Tensor:
    """Return the mean over AdaLoRA's factors of ‖PPᵀ − I‖ and ‖QᵀQ − I‖ (Zhang et al. 2023, equation 4), a scalar."""
    import torch

    terms = []
    for name, parameter in learner.model.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            gram = parameter @ parameter.T if "lora_A" in name else parameter.T @ parameter
            terms.append(torch.linalg.matrix_norm(gram - torch.eye(len(gram), device=gram.device)))
    return torch.stack(terms).mean()
