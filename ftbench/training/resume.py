"""Save the state of a running training in checkpoints, and resume a training from them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from .seeding import random_state, set_random_state
from .snapshots import BestWeights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from .checkpoints import Checkpoints
    from .loop import Loop

_TRACED = ("task_losses", "losses", "units", "seconds", "padded", "waiting", "validation", "kept", "skipped", "resumed")


class TrainingCheckpointer:
    """Saves one training in the checkpoints of its trial and resumes it from them.

    Args:
        checkpoints: the checkpoints of the trial.
        training: number of the training in its trial.
        phase: charges the time spent inside to a phase of its own.
        valid: whether existing checkpoints of this training are valid: its start must be the same bit by bit. If not,
            they are removed.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        training: int,
        phase: Callable[[], AbstractContextManager[None]] = nullcontext,
        *,
        valid: bool = True,
    ) -> None:
        self.checkpoints, self.training, self.phase = checkpoints, training, phase
        if not valid:
            checkpoints.forget(training)
        self.resumed: int | None = None
        """The step from which the training was resumed; None if it started from scratch."""
        self.complete = False
        """Whether the whole training was restored, so that none of it was repeated."""

    def restore(self, loop: Loop) -> int:
        """Restore the loop from the last checkpoint that is intact and matches; return the number of steps made."""
        for step, ended, state in self.checkpoints.latest(self.training):
            why = _mismatch(loop, state)
            if why:
                print(f"checkpoint {self.training}-{step}: ignored: {why}")  # noqa: T201 - goes to the trial log
                continue
            restore_loop(loop, step, state)
            loop.trace.resumed.append(step)
            self.resumed, self.complete = step, ended
            print(f"resumed from a checkpoint after step {step} of {loop.loader.steps}")  # noqa: T201 - the trial log
            return loop.loader.steps if ended else step
        return 0

    def keep(self, loop: Loop, step: int, *, ended: bool = False) -> None:
        """Write a checkpoint if one is due; if the disk is full, the trial goes on without it."""
        if not self.checkpoints.due or (ended and self.complete):
            return
        with self.phase():
            try:
                self.checkpoints.save(self.training, step, loop_state(loop, step), ended=ended)
            except OSError as error:
                print(f"no checkpoint after step {step}: {error.strerror or error}")  # noqa: T201 - the trial log


def loop_state(loop: Loop, step: int) -> dict[str, Any]:
    """Return all the state of a loop that has made `step` steps."""
    loop.settle(step - 1)
    return {
        "order": loop.trace.order_hash,
        "parameters": {loop.names[id(parameter)]: parameter for parameter in loop.parameters},
        "buffers": dict(loop.learner.named_buffers()),
        "optimizer": loop.optimizer.state_dict(),
        "strategy": loop.strategy.state(),
        "judge": loop.monitor.state(),
        "kept": None if loop.best_weights is None else vars(loop.best_weights),
        "scaling": None if loop.scaling is None else loop.scaling.state(),
        "trace": {name: getattr(loop.trace, name) for name in _TRACED},
        "random": random_state(),
    }


def restore_loop(loop: Loop, step: int, state: Mapping[str, Any]) -> None:
    """Restore a new loop to the state it had after `step` steps."""
    import torch

    # What a strategy freezes and unfreezes during training depends on the step alone.
    for before in range(step):
        loop.strategy.before_step(loop.learner, before)
    with torch.no_grad():
        for parameter in loop.parameters:
            parameter.copy_(state["parameters"][loop.names[id(parameter)]])
        for name, buffer in loop.learner.named_buffers():
            buffer.copy_(state["buffers"][name])
    _restore_optimizer(loop, state["optimizer"])
    loop.strategy.load_state(state["strategy"])
    loop.monitor.load_state(state["judge"])
    loop.best_weights = None if state["kept"] is None else BestWeights(**state["kept"])
    if loop.scaling is not None:
        loop.scaling.load_state(state["scaling"])
    for name in _TRACED:
        setattr(loop.trace, name, state["trace"][name])
    set_random_state(state["random"])


def _restore_optimizer(loop: Loop, state: dict[str, Any]) -> None:
    """Load the optimizer's state into the existing group objects, because a strategy may keep references to them."""
    optimizer = loop.optimizer
    groups = list(optimizer.param_groups)
    optimizer.load_state_dict(state)
    for group, loaded in zip(groups, optimizer.param_groups, strict=True):
        group.update({name: value for name, value in loaded.items() if name != "params"})
    optimizer.param_groups[:] = groups


def _mismatch(loop: Loop, state: Mapping[str, Any]) -> str:
    """Return why a state does not match this training; empty if it does."""
    expected: dict[str, Mapping[str, Tensor]] = {
        "parameters": {loop.names[id(parameter)]: parameter for parameter in loop.parameters},
        "buffers": dict(loop.learner.named_buffers()),
    }
    if state["order"] != loop.trace.order_hash:
        return "the order of examples differs"
    for kind, tensors in expected.items():
        found = state[kind]
        if {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()} != {
            name: (tensor.shape, tensor.dtype) for name, tensor in found.items()
        }:
            return f"its {kind} differ"
    if (state["scaling"] is None) != (loop.scaling is None):
        return "the precision differs"
    return ""
