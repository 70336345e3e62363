"""Copy and restore weights: the best weights of a training, and weight deltas that trials share."""

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
"""Name of the tensor that stores a training's trace next to its weight delta."""


@dataclass(frozen=True)
class BestWeights:
    """Everything a training has changed, as it was at one step: trained parameters, all buffers, the strategy's state.

    The copies are in main memory, regardless of the learner's device.
    """

    step: int
    """Steps made when the copy was taken."""
    parameters: Sequence[Tensor]
    """The trained parameters, in the optimizer's order."""
    buffers: Mapping[str, Tensor]
    """Name → buffer."""
    strategy: Any
    """The strategy's own state."""

    @classmethod
    def take(cls, learner: Learner, strategy: Strategy, parameters: Sequence[Parameter], step: int) -> BestWeights:
        """Copy parameters, buffers and strategy state after `step` steps."""
        buffers = {name: _copy(buffer) for name, buffer in learner.named_buffers()}
        return cls(step, [_copy(parameter) for parameter in parameters], buffers, strategy.state())

    def restore(self, learner: Learner, strategy: Strategy, parameters: Sequence[Parameter]) -> None:
        """Restore the learner and the strategy to that step."""
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


def weight_delta(learner: Learner) -> dict[str, Tensor]:
    """Return the weight delta of a training: trained parameters and all buffers, by name."""
    trained = {
        f"parameter.{name}": parameter.detach()
        for name, parameter in learner.named_parameters()
        if parameter.requires_grad
    }
    return trained | {f"buffer.{name}": buffer for name, buffer in learner.named_buffers()}


def load_delta(learner: Learner, tensors: Mapping[str, Tensor]) -> None:
    """Load into a learner what `weight_delta` returned."""
    import torch

    own = {f"parameter.{name}": parameter for name, parameter in learner.named_parameters()}
    own |= {f"buffer.{name}": buffer for name, buffer in learner.named_buffers()}  # type: ignore[misc]  # all tensors
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def as_tensor(value: Any) -> Tensor:
    """Encode a JSON value as a tensor of bytes."""
    import torch

    return torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)


def from_tensor(tensor: Tensor) -> Any:
    """Decode what `as_tensor` returned."""
    return json.loads(bytes(tensor.numpy()))
