"""What a training moved, as tensors by name, so that another trial can take it over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from ..api.backbone import Learner

TRACE = "trace"
"""The name under which a training's trace lies beside what it moved."""


def moved(learner: Learner) -> dict[str, Tensor]:
    """Give what trains, and every buffer."""
    trained = {f"parameter.{name}": parameter.detach() for name, parameter in learner.named_parameters() if parameter.requires_grad}
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
