"""The weights of an earlier step, held until training ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor
    from torch.nn import Parameter

    from ..api.learner import Learner
    from ..api.strategy import Strategy


TRACE = "trace"
"""The name under which a training's trace lies beside what it moved."""


@dataclass(frozen=True)
class Kept:
    """All that moves in a training, as it was at one step: what trains, every buffer, and the strategy's own state.

    Copies lie in main memory, whatever device the learner is on.
    """

    step: int
    """Steps done when the weights were taken."""
    parameters: Sequence[Tensor]
    """What trains, in the order of the optimizer."""
    buffers: Mapping[str, Tensor]
    """Every buffer by its name."""
    strategy: Any
    """The strategy's own state."""

    @classmethod
    def take(cls, learner: Learner, strategy: Strategy, parameters: Sequence[Parameter], step: int) -> Kept:
        """Copy all of it."""
        buffers = {name: _copy(buffer) for name, buffer in learner.named_buffers()}
        return cls(step, [_copy(parameter) for parameter in parameters], buffers, strategy.state())

    def put_back(self, learner: Learner, strategy: Strategy, parameters: Sequence[Parameter]) -> None:
        """Make the learner what it was at that step."""
        import torch

        buffers = dict(learner.named_buffers())
        with torch.no_grad():
            for parameter, value in zip(parameters, self.parameters, strict=True):
                parameter.copy_(value)
            for name, value in self.buffers.items():
                buffers[name].copy_(value)
        strategy.load_state(self.strategy)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True)


def moved(learner: Learner) -> dict[str, Tensor]:
    """Give what trains, and every buffer."""
    trained = {
        f"parameter.{name}": parameter.detach()
        for name, parameter in learner.named_parameters()
        if parameter.requires_grad
    }
    return trained | {f"buffer.{name}": buffer for name, buffer in learner.named_buffers()}


def put_back(learner: Learner, tensors: Mapping[str, Tensor]) -> None:
    """Let a learner be what `moved` was taken from."""
    import torch

    own = {f"parameter.{name}": parameter for name, parameter in learner.named_parameters()}
    own |= {f"buffer.{name}": buffer for name, buffer in learner.named_buffers()}  # type: ignore[misc]  # tensors, both
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def as_tensor(value: Any) -> Tensor:
    """Put a JSON value into bytes."""
    import torch

    return torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)


def from_tensor(tensor: Tensor) -> Any:
    """Read it back."""
    return json.loads(bytes(tensor.numpy()))
