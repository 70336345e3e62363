"""The model being tuned: a backbone's network with a head, and what the core needs to know of it."""

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
"""What a batch holds beside the network's inputs."""


class ServedTask(Protocol):
    """The task that a learner's head serves, as far as a user of the model needs it."""

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
    """What the frozen part of a network computes, kept by example."""

    def of(self, encoded: Encoded, batch: Mapping[str, Tensor]) -> AbstractContextManager[None]:
        """Replace the computation of the frozen part, inside, by what is kept for a batch of `encoded`."""

    def step_aside(self) -> None:
        """Make the network compute again."""


class Learner:
    """The model being tuned, its heads (one per task), its processor and its roles. Its job is to be changed."""

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
        """Gives the frames the network makes of so many samples, both of shape [batch]; None where it does not hear."""
        self.masked = True
        """Whether the network is told which inputs are real."""
        self.features: FrozenFeatures | None = None
        """What stands in for the frozen part below the head; None where all is computed."""
        self._source: Encoded | None = None
        self._call: Callable[..., Any] = model
        self._still: list[nn.Module] = []
        self._frozen_statistics = False
        self._precision = "fp32"

    # -- modules ---------------------------------------------------------------------------------------------------------

    def modules(self, role: str) -> list[nn.Module]:
        """List the modules that fill `role`, bottom first; empty where the architecture has none."""
        return [self.model.get_submodule(name) for name in self.roles.members.get(role, ())]

    def names(self, role: str) -> tuple[str, ...]:
        """List the names of the modules that fill `role`."""
        return self.roles.members.get(role, ())

    @property
    def head(self) -> list[nn.Module]:
        """The modules of the active head."""
        return [self.model.get_submodule(name) for name in self.roles.head]

    def head_parameters(self) -> list[nn.Parameter]:
        """List the parameters of the active head."""
        return [parameter for module in self.head for parameter in module.parameters()]

    def backbone_parameters(self) -> list[nn.Parameter]:
        """List every parameter outside the active head, those a strategy added included."""
        head = {id(parameter) for parameter in self.head_parameters()}
        return [parameter for parameter in self.model.parameters() if id(parameter) not in head]

    def blocks(self) -> list[nn.Module]:
        """List the residual blocks, bottom first."""
        return [block for name in self.roles.block_lists for block in self.model.get_submodule(name).children()]

    # -- heads -----------------------------------------------------------------------------------------------------------

    def adopt_head(self, task: str, donor: Learner) -> None:
        """Take the head modules of `donor` as the head of the task labelled `task`."""
        self.heads[task] = {name: donor.model.get_submodule(name) for name in donor.roles.head}

    def activate(self, label: str, task: ServedTask) -> None:
        """Put the head of the task labelled `label` in place."""
        for name, module in self.heads[label].items():
            parent, _, leaf = name.rpartition(".")
            setattr(self.model.get_submodule(parent), leaf, module)
        self.task, self.active = task, label

    # -- modes -----------------------------------------------------------------------------------------------------------

    def freeze_backbone(self) -> None:
        """Stop every parameter outside the heads from training, and every running statistic from moving."""
        self.model.requires_grad_(requires_grad=False)
        self.freeze_feature_encoder()
        self.train_head()
        self.freeze_statistics()

    def freeze_feature_encoder(self) -> None:
        """Stop the convolutional front end of a speech model from training, and gradients from being sent through it."""
        for module in self.modules("feature_encoder"):
            module.requires_grad_(requires_grad=False)
            # transformers asks for a gradient at the front end's input in any case, unless this flag says otherwise.
            if hasattr(module, "_requires_grad"):
                setattr(module, "_requires_grad", False)  # noqa: B010 - torch types every attribute as a module or tensor

    def train_head(self) -> None:
        """Let every head train, those not active included."""
        for modules in self.heads.values():
            for module in modules.values():
                module.requires_grad_(requires_grad=True)
        for module in self.head:
            module.requires_grad_(requires_grad=True)

    def keep_still(self, *modules: nn.Module) -> None:
        """Keep `modules` in evaluation mode while the rest trains: no dropout, no moving statistics."""
        self._still.extend(modules)

    def freeze_statistics(self) -> None:
        """Keep the running statistics of every batch normalisation as they are."""
        self._frozen_statistics = True

    def train(self) -> None:
        """Enter training mode, but for what is kept still."""
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

    # -- use -------------------------------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    def forward(self, batch: Mapping[str, Tensor]) -> Any:
        """Run the model on the inputs in `batch`; gives the transformers output, with `.logits`.

        Where the network hears sounds of unequal length, `.frames` tells how many frames of each row are real.
        """
        if self.features is None or self._source is None:
            return self._through(self._call, batch)
        with self.features.of(self._source, batch):
            return self._through(self._call, batch)

    @contextmanager
    def reading(self, encoded: Encoded | None) -> Iterator[None]:
        """Let the `rows` of the batches answered inside be known as those of `encoded`; None where examples are not as they lie there."""
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
        """Give what `forward` does, compiled for the modules that are there now; later changes of them need it anew."""
        import torch

        # What was compiled before would count towards torch's limit of versions.
        torch.compiler.reset()
        call = torch.compile(self._call, backend=backend)
        return lambda batch: self._through(call, batch)

    @property
    def precision(self) -> str:
        """What forward passes compute in."""
        return self._precision

    def compute_in(self, precision: str) -> None:
        """Let forward passes compute in `fp32`, `bf16` or `fp16`; weights stay what they are."""
        self._precision = precision

    def forward_through(self, call: Callable[..., Any]) -> None:
        """Let forward passes go through `call`, which wraps the model, instead of the model itself."""
        self._call = call

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield every parameter, tied weights once; those of heads not in place as `heads.<task>.<name>`."""
        yield from self.model.named_parameters()
        active = {id(parameter) for parameter in self.model.parameters()}
        for task, modules in self.heads.items():
            for name, module in modules.items():
                for inner, parameter in module.named_parameters():
                    if id(parameter) not in active:
                        yield f"heads.{task}.{name}.{inner}", parameter

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every buffer once; those of heads not in place as `heads.<task>.<name>`."""
        yield from self.model.named_buffers()
        active = {id(buffer) for buffer in self.model.buffers()}
        for task, modules in self.heads.items():
            for name, module in modules.items():
                for inner, buffer in module.named_buffers():
                    if id(buffer) not in active:
                        yield f"heads.{task}.{name}.{inner}", buffer

    def trainable(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield name and parameter of all that trains, tied weights once."""
        return ((name, parameter) for name, parameter in self.model.named_parameters() if parameter.requires_grad)
