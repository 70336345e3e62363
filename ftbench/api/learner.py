"""The model being tuned: a backbone's network with its heads, its processor and its roles."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import torch
    from torch import Tensor, nn

    from .card import ModelCard, OutputType, Roles
    from .encoded import Encoded


ASIDE = ("labels", "rows", "owners")
"""Entries of a batch that are not inputs of the network."""


class ServedTask(Protocol):
    """What a user of a learner needs to know of the task that its head serves."""

    @property
    def answer(self) -> OutputType:
        """Type of its output."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of its classes, empty if it has none."""

    def collate(self, encoded: Encoded, indices: Sequence[int]) -> dict[str, Tensor]:
        """Build the batch of the examples at `indices`."""

    def write_processor(self, learner: Learner, folder: Path) -> None:
        """Write what turns raw inputs into the learner's inputs."""

    def provenance(self) -> Any:
        """Return where its data come from."""


class FrozenFeatures(Protocol):
    """Cached outputs of the frozen part of a network, by example."""

    def of(self, encoded: Encoded, batch: Mapping[str, Tensor]) -> AbstractContextManager[None]:
        """Use the cached outputs for a batch of `encoded` inside the context."""

    def step_aside(self) -> None:
        """Make the network compute again."""


class Learner:
    """The model being tuned, its heads (one per task), its processor and its roles; strategies change it in place."""

    def __init__(self, model: nn.Module, roles: Roles, processor: Any, card: ModelCard) -> None:
        self.model = model
        self.roles = roles
        self.processor = processor
        self.card = card
        self.task: ServedTask | None = None
        """The task whose head is in place."""
        self.active = ""
        """Its label."""
        self.heads: dict[str, dict[str, nn.Module]] = {}
        self.frames: Callable[[Tensor], Tensor] | None = None
        """Returns the number of frames for a number of samples, both of shape [batch]; None if it is not a speech
        model."""
        self.masked = True
        """Whether the network receives the mask of real inputs."""
        self.features: FrozenFeatures | None = None
        """Replaces the frozen part below the head; None if everything is computed."""
        self.adopted: list[nn.Parameter] = []
        """Parameters whose values come from another learner that was trained in the trial."""
        self._source: Encoded | None = None
        self._call: Callable[..., Any] = model
        self._still: list[nn.Module] = []
        self._frozen_statistics = False
        self._precision = "fp32"

    # -- modules -------------------------------------------------------------------------------------------------------

    def modules(self, role: str) -> list[nn.Module]:
        """Return the modules with `role`, bottom first; empty if the architecture has none."""
        return [self.model.get_submodule(name) for name in self.roles.members.get(role, ())]

    def names(self, role: str) -> tuple[str, ...]:
        """Return the names of the modules with `role`."""
        return self.roles.members.get(role, ())

    @property
    def head(self) -> list[nn.Module]:
        """The modules of the active head."""
        return [self.model.get_submodule(name) for name in self.roles.head]

    def head_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the active head."""
        return [parameter for module in self.head for parameter in module.parameters()]

    def backbone_parameters(self) -> list[nn.Parameter]:
        """Return every parameter outside the active head, including those a strategy added."""
        head = {id(parameter) for parameter in self.head_parameters()}
        return [parameter for parameter in self.model.parameters() if id(parameter) not in head]

    def blocks(self) -> list[nn.Module]:
        """Return the residual blocks, bottom first."""
        return [block for name in self.roles.block_lists for block in self.model.get_submodule(name).children()]

    # -- heads ---------------------------------------------------------------------------------------------------------

    def adopt_head(self, task: str, donor: Learner) -> None:
        """Use the head modules of `donor` as the head of the task labelled `task`."""
        self.heads[task] = {name: donor.model.get_submodule(name) for name in donor.roles.head}

    def activate(self, label: str, task: ServedTask) -> None:
        """Activate the head of the task labelled `label`."""
        for name, module in self.heads[label].items():
            parent, _, leaf = name.rpartition(".")
            setattr(self.model.get_submodule(parent), leaf, module)
        self.task, self.active = task, label

    # -- weights -------------------------------------------------------------------------------------------------------

    def adopt_weights(self, donor: Learner) -> None:
        """Copy the network below the head of `donor`, trained in this trial; what is copied counts as trained.

        Raises:
            RuntimeError: this network lacks a weight of the other.
        """
        own: Any = self.model
        other: Any = donor.model
        weights = other.base_model.state_dict()
        found = own.base_model.load_state_dict(weights, strict=False)
        if found.unexpected_keys:
            message = f"the network has no {found.unexpected_keys[0]}"
            raise RuntimeError(message)
        self.adopted = [parameter for name, parameter in own.base_model.named_parameters() if name in weights]

    # -- modes ---------------------------------------------------------------------------------------------------------

    def freeze_backbone(self) -> None:
        """Freeze every parameter outside the heads, and every running statistic."""
        self.model.requires_grad_(requires_grad=False)
        self.freeze_feature_encoder()
        self.train_head()
        self.freeze_statistics()

    def freeze_feature_encoder(self) -> None:
        """Freeze the convolutional front end of a speech model and stop gradients at its output."""
        for module in self.modules("feature_encoder"):
            module.requires_grad_(requires_grad=False)
            # transformers requests a gradient at the front end's input unless this flag is off.
            if hasattr(module, "_requires_grad"):
                setattr(module, "_requires_grad", False)  # noqa: B010 - torch types attributes as modules or tensors

    def train_head(self) -> None:
        """Make every head trainable, inactive ones included."""
        for modules in self.heads.values():
            for module in modules.values():
                module.requires_grad_(requires_grad=True)
        for module in self.head:
            module.requires_grad_(requires_grad=True)

    def keep_still(self, *modules: nn.Module) -> None:
        """Keep `modules` in evaluation mode while the rest trains: no dropout, no moving statistics."""
        self._still.extend(modules)

    def freeze_statistics(self) -> None:
        """Freeze the running statistics of every batch normalisation."""
        self._frozen_statistics = True

    def train(self) -> None:
        """Enter training mode, except for modules kept still."""
        from torch.nn.modules.batchnorm import _BatchNorm

        self.model.train()
        for module in self._still:
            module.eval()
        if self._frozen_statistics:
            for module in self.model.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def eval(self) -> None:
        """Enter evaluation mode."""
        self.model.eval()

    def moving_statistics(self) -> dict[str, Tensor]:
        """Return the running statistics that training updates, by name; those of modules kept still are not."""
        from torch.nn.modules.batchnorm import _BatchNorm

        if self._frozen_statistics:
            return {}
        still = {id(inner) for module in self._still for inner in module.modules()}
        return {
            f"{name}.{own}": buffer
            for name, module in self.model.named_modules()
            if isinstance(module, _BatchNorm) and id(module) not in still
            for own, buffer in module.named_buffers(recurse=False)
        }

    # -- use -----------------------------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return next(self.model.parameters()).device

    def forward(self, batch: Mapping[str, Tensor]) -> Any:
        """Run the model on the inputs in `batch`; return the transformers output, with `.logits`.

        For speech of unequal length, `.frames` has the number of real frames of each row.
        """
        if self.features is None or self._source is None:
            return self._through(self._call, batch)
        with self.features.of(self._source, batch):
            return self._through(self._call, batch)

    @contextmanager
    def reading(self, encoded: Encoded | None) -> Iterator[None]:
        """Treat `rows` of batches inside as rows of `encoded`; None if examples differ from it (augmentation)."""
        before, self._source = self._source, encoded
        try:
            yield
        finally:
            self._source = before

    def _through(self, call: Callable[..., Any], batch: Mapping[str, Tensor]) -> Any:
        left_out = ASIDE if self.masked else (*ASIDE, "attention_mask")
        inputs = {name: value for name, value in batch.items() if name not in left_out}
        if self._precision == "fp32":
            outputs = call(**inputs)
        else:
            import torch

            with torch.autocast(self.device.type, torch.bfloat16 if self._precision == "bf16" else torch.float16):
                outputs = call(**inputs)
        if self.frames is not None and "attention_mask" in batch:
            outputs.frames = self.frames(batch["attention_mask"].sum(1))
        return outputs

    def compiled(self, backend: str) -> Callable[[Mapping[str, Tensor]], Any]:
        """Return `forward`, compiled for the current modules; compile again after changing them."""
        import torch

        # Earlier compilations would count towards torch's limit of versions.
        torch.compiler.reset()
        call = torch.compile(self._call, backend=backend)
        return lambda batch: self._through(call, batch)

    @property
    def precision(self) -> str:
        """Precision of forward passes."""
        return self._precision

    def compute_in(self, precision: str) -> None:
        """Run forward passes in `fp32`, `bf16` or `fp16`; weights are unchanged."""
        self._precision = precision

    def forward_through(self, call: Callable[..., Any]) -> None:
        """Run forward passes through `call`, which wraps the model."""
        self._call = call

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield every parameter, tied weights once; those of inactive heads as `heads.<task>.<name>`."""
        yield from self.model.named_parameters()
        active = {id(parameter) for parameter in self.model.parameters()}
        for task, modules in self.heads.items():
            for name, module in modules.items():
                for inner, parameter in module.named_parameters():
                    if id(parameter) not in active:
                        yield f"heads.{task}.{name}.{inner}", parameter

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every buffer once; those of inactive heads as `heads.<task>.<name>`."""
        yield from self.model.named_buffers()
        active = {id(buffer) for buffer in self.model.buffers()}
        for task, modules in self.heads.items():
            for name, module in modules.items():
                for inner, buffer in module.named_buffers():
                    if id(buffer) not in active:
                        yield f"heads.{task}.{name}.{inner}", buffer

    def trainable(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield name and parameter of everything trainable, tied weights once."""
        return ((name, parameter) for name, parameter in self.model.named_parameters() if parameter.requires_grad)
