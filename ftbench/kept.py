"""The weights of an earlier step, held until training ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.nn import Parameter

    from .backbone import Learner
    from .strategy import Strategy


class Kept:
    """All that moves in a training, as it was at one step: what trains, every buffer, and the strategy's own state.

    Copies lie in main memory, whatever device the learner is on.
    """

    def __init__(self, learner: Learner, strategy: Strategy, parameters: Sequence[Parameter], step: int) -> None:
        self.step = step
        """Steps done when the weights were taken."""
        self._parameters = [(parameter, _copy(parameter)) for parameter in parameters]
        self._buffers = {name: _copy(buffer) for name, buffer in learner.named_buffers()}
        self._state: Any = strategy.state()

    def put_back(self, learner: Learner, strategy: Strategy) -> None:
        """Make the learner what it was at that step."""
        import torch

        buffers = dict(learner.named_buffers())
        with torch.no_grad():
            for parameter, value in self._parameters:
                parameter.copy_(value)
            for name, value in self._buffers.items():
                buffers[name].copy_(value)
        strategy.load_state(self._state)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True)
