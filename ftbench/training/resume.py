"""All that moves in a training under way: taken at a step, and put back into one that was made anew."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from .seeding import random_state, set_random_state
from .snapshots import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from .checkpoints import Checkpoints
    from .loop import Loop

_TRACED = ("task_losses", "losses", "units", "seconds", "padded", "waiting", "validation", "kept", "skipped", "resumed")


class Keeper:
    """Keeps one training in the checkpoints of its trial.

    Args:
        checkpoints: of the trial.
        training: number of the training in its trial.
        apart: charges what happens inside to a phase of its own.
        believe: whether what was reached after this training's beginning may be believed: the beginning is the same bit by bit.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        training: int,
        apart: Callable[[], AbstractContextManager[None]] = nullcontext,
        *,
        believe: bool = True,
    ) -> None:
        self.checkpoints, self.training, self.apart = checkpoints, training, apart
        if not believe:
            checkpoints.forget(training)
        self.resumed: int | None = None
        """The step it went on from; None where it began anew."""
        self.whole = False
        """Whether all of it was there already."""

    def restore(self, loop: Loop) -> int:
        """Put the loop where the last checkpoint that is whole and fits left it; gives the steps made."""
        for step, ended, state in self.checkpoints.latest(self.training):
            why = _mismatch(loop, state)
            if why:
                print(f"checkpoint {self.training}-{step}: left out: {why}")  # noqa: T201 - the log of the trial
                continue
            put_back(loop, step, state)
            loop.trace.resumed.append(step)
            self.resumed, self.whole = step, ended
            print(f"went on from a checkpoint after step {step} of {loop.loader.steps}")  # noqa: T201 - as above
            return loop.loader.steps if ended else step
        return 0

    def keep(self, loop: Loop, step: int, *, ended: bool = False) -> None:
        """Write a checkpoint where it is time for one; a disk that is full costs the checkpoint, not the trial."""
        if not self.checkpoints.due or (ended and self.whole):
            return
        with self.apart():
            try:
                self.checkpoints.save(self.training, step, take(loop, step), ended=ended)
            except OSError as error:
                print(f"no checkpoint after step {step}: {error.strerror or error}")  # noqa: T201 - as above


def take(loop: Loop, step: int) -> dict[str, Any]:
    """Take all that moves, `step` steps being made."""
    loop.settle(step - 1)
    return {
        "order": loop.trace.order_hash,
        "parameters": {loop.names[id(parameter)]: parameter for parameter in loop.parameters},
        "buffers": dict(loop.learner.named_buffers()),
        "optimizer": loop.optimizer.state_dict(),
        "strategy": loop.strategy.state(),
        "judge": loop.judge.state(),
        "kept": None if loop.kept is None else vars(loop.kept),
        "scaling": None if loop.scaling is None else loop.scaling.state(),
        "trace": {name: getattr(loop.trace, name) for name in _TRACED},
        "random": random_state(),
    }


def put_back(loop: Loop, step: int, state: Mapping[str, Any]) -> None:
    """Make a loop that was made anew what it was when `step` steps were made."""
    import torch

    # What a strategy freezes and opens as it goes is a matter of the step alone.
    for before in range(step):
        loop.strategy.before_step(loop.learner, before)
    with torch.no_grad():
        for parameter in loop.parameters:
            parameter.copy_(state["parameters"][loop.names[id(parameter)]])
        for name, buffer in loop.learner.named_buffers():
            buffer.copy_(state["buffers"][name])
    _put_optimizer_back(loop, state["optimizer"])
    loop.strategy.load_state(state["strategy"])
    loop.judge.load_state(state["judge"])
    loop.kept = None if state["kept"] is None else Kept(**state["kept"])
    if loop.scaling is not None:
        loop.scaling.load_state(state["scaling"])
    for name in _TRACED:
        setattr(loop.trace, name, state["trace"][name])
    set_random_state(state["random"])


def _put_optimizer_back(loop: Loop, state: dict[str, Any]) -> None:
    """Load the optimizer's state into the very groups that are there: a strategy may hold on to them."""
    optimizer = loop.optimizer
    groups = list(optimizer.param_groups)
    optimizer.load_state_dict(state)
    for group, loaded in zip(groups, optimizer.param_groups, strict=True):
        group.update({name: value for name, value in loaded.items() if name != "params"})
    optimizer.param_groups[:] = groups


def _mismatch(loop: Loop, state: Mapping[str, Any]) -> str:
    """Tell why a state is not of this training; empty where it is."""
    expected: dict[str, Mapping[str, Tensor]] = {
        "parameters": {loop.names[id(parameter)]: parameter for parameter in loop.parameters},
        "buffers": dict(loop.learner.named_buffers()),
    }
    if state["order"] != loop.trace.order_hash:
        return "it saw the examples in another order"
    for kind, tensors in expected.items():
        found = state[kind]
        if {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()} != {
            name: (tensor.shape, tensor.dtype) for name, tensor in found.items()
        }:
            return f"it has other {kind}"
    if (state["scaling"] is None) != (loop.scaling is None):
        return "it computed in another precision"
    return ""
