"""The suite's optimizer: any of torch's that needs one gradient a step, by its name."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from ..errors import Diverged, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from torch import Tensor
    from torch.nn import Parameter
    from torch.optim import Optimizer

    from ..api.protocol import Training


LONGEST = 30
"""Steps in a row that may be left out: the scale, halved at each, has then gone from 2¹⁶ to 2⁻¹⁴."""


def make_optimizer(groups: list[dict[str, Any]], training: Training) -> Optimizer:
    """Make the optimizer of a protocol.

    Where it can be fused it is: AdamW then takes 0.6 of the time on a CPU, and the results are the same on every run.

    Args:
        groups: what trains; a group's own `weight_decay` stands.
        training: names the optimizer, its rate, decay and further options.

    Raises:
        UserError: the optimizer has no such option, or refuses its value.
    """
    import torch

    assert isinstance(training.lr, float | int)
    cls: Any = {name.lower(): found for name, found in vars(torch.optim).items() if inspect.isclass(found)}[
        training.optimizer
    ]
    known = inspect.signature(cls).parameters
    options: dict[str, Any] = {"lr": training.lr}
    if "weight_decay" in known:
        options["weight_decay"] = training.weight_decay
    else:
        groups = [{name: value for name, value in group.items() if name != "weight_decay"} for group in groups]
    if "fused" in known:
        options["fused"] = True
    options |= training.optimizer_options
    try:
        made: Optimizer = cls(groups, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"training.optimizer_options: {cls.__name__} says: {error}") from None
    return made


class Scaling:
    """Scales losses by a factor that falls where gradients overflow and rises again (Micikevicius et al. 2018, section 3.2)."""

    def __init__(self, optimizer: Optimizer, parameters: Sequence[Parameter], device: torch.device) -> None:
        import torch

        self._scaler = torch.amp.GradScaler(device.type)
        self._optimizer, self._parameters = optimizer, parameters
        self.skipped = 0
        """Steps left out so far."""
        self._in_a_row = 0

    def state(self) -> dict[str, Any]:
        """Give the scale and the counts."""
        return {"scaler": self._scaler.state_dict(), "skipped": self.skipped, "in_a_row": self._in_a_row}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._scaler.load_state_dict(state["scaler"])
        self.skipped, self._in_a_row = state["skipped"], state["in_a_row"]

    def scaled(self, loss: Tensor) -> Tensor:
        """Give the loss whose gradient is to be taken."""
        scaled: Tensor = self._scaler.scale(loss)
        return scaled

    def fits(self) -> bool:
        """Bring the gradients back to their own size; tells whether all are finite, without which the step is to be left out.

        Raises:
            Diverged: they were not for too many steps in a row.
        """
        import torch

        self._scaler.unscale_(self._optimizer)
        norm = torch.nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        self._scaler.update()
        if math.isfinite(norm):
            self._in_a_row = 0
            return True
        self.skipped += 1
        self._in_a_row += 1
        if self._in_a_row == LONGEST:
            raise Diverged(
                f"the gradient was not finite at {LONGEST} steps in a row, however small the scale of the loss"
            )
        return False
