"""The training loop that every strategy shares; a strategy acts only through its contract."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch

from ..api.meter import Trace
from ..errors import Diverged, PluginError
from .compute import training_pass
from .early_stopping import ValidationMonitor
from .optimizers import Scaling, make_optimizer
from .snapshots import BestWeights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Parameter

    from ..api.encoded import Encoded
    from ..api.learner import Learner
    from ..api.loader import Loader, MicroBatch
    from ..api.measurement import Measurement
    from ..api.protocol import Training
    from ..api.strategy import Strategy
    from ..api.task import Task

    AfterStep = Callable[[int, Trace], Sequence[Measurement] | None]

WINDOW = 20
"""Steps between two reads of the losses on a GPU: each read waits for the device."""


class Checkpointer(Protocol):
    """Keeps the state of a loop on disk, so that a killed training can resume."""

    def restore(self, loop: Loop) -> int:
        """Restore the loop from the last checkpoint that is intact and matches; return the number of steps made."""

    def keep(self, loop: Loop, step: int, *, ended: bool = False) -> None:
        """Save the state after `step`, if a checkpoint is due."""


def fit(
    learner: Learner,
    loader: Loader,
    strategy: Strategy,
    after_step: AfterStep,
    label: str,
    *,
    checkpointer: Checkpointer | None = None,
) -> Trace:
    """Train `learner` on `loader` with `strategy`.

    Args:
        learner: updated in place.
        loader: the batches and their protocol.
        strategy: called at each moment of its contract.
        after_step: called with the number of steps done and the trace so far; returns scores on the validation split if
            they are due.
        label: the task's label, for the trace.
        checkpointer: saves checkpoints and resumes from one.

    Raises:
        Diverged: the loss is infinite or not a number.
        UserError: the task does not compute the monitored metric, or compiling needs a compiler that is missing.
    """
    return Loop(learner, loader, strategy, label).run(after_step, checkpointer)


class Loop:
    """One training in progress."""

    def __init__(self, learner: Learner, loader: Loader, strategy: Strategy, label: str) -> None:
        self.learner, self.loader, self.strategy = learner, loader, strategy
        self.training = loader.training
        groups = strategy.param_groups(learner)
        self.optimizer = strategy.optimizer(learner, groups) or make_optimizer(groups, self.training)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.names = {id(parameter): name for name, parameter in learner.named_parameters()}
        self._refuse_frozen()
        self.trace = Trace(
            label,
            loader.task.unit,
            planned=loader.steps,
            order_hash=loader.order_hash(),
            trained={self.names[id(parameter)]: parameter.numel() for parameter in self.parameters},
        )
        self.pending: list[tuple[Tensor, Tensor]] = []
        self.on_gpu = learner.device.type == "cuda"
        self.monitor = ValidationMonitor(self.training)
        self.best_weights: BestWeights | None = None
        self.forward = training_pass(self.training, learner)
        self.scaling = (
            Scaling(self.optimizer, self.parameters, learner.device) if self.training.precision == "fp16" else None
        )

    def _refuse_frozen(self) -> None:
        """Check that the optimizer has no parameter that cannot train.

        Raises:
            PluginError: it has; such parameters would count as trained.
        """
        frozen = [self.names[id(parameter)] for parameter in self.parameters if not parameter.requires_grad]
        if frozen:
            others = f" and {len(frozen) - 1} more" if len(frozen) > 1 else ""
            raise PluginError(
                f"{type(self.strategy).__name__}: its optimizer has parameters that require no gradient: "
                f"{frozen[0]}{others}"
            )

    def run(self, after_step: AfterStep, checkpointer: Checkpointer | None = None) -> Trace:
        """Run the remaining steps."""
        with self.learner.reading(self.loader.encoded if self.loader.augmented is None else None):
            return self._steps(after_step, checkpointer)

    def _steps(self, after_step: AfterStep, checkpointer: Checkpointer | None) -> Trace:
        trace, steps = self.trace, self.loader.steps
        self.learner.train()
        made = checkpointer.restore(self) if checkpointer else 0
        micro_batches, done = self.loader.after(made), made
        for step in range(made, steps):
            if self.monitor.stops:
                break
            done = step + 1
            started = time.perf_counter()
            own = next(micro_batches)
            waited = time.perf_counter() - started
            self.step(step, own)
            if not self.on_gpu or step + 1 == steps or (step + 1) % WINDOW == 0:
                self.settle(step)
            trace.units.append(sum(micro_batch.units for micro_batch in own))
            trace.padded.append(sum(micro_batch.padded for micro_batch in own))
            trace.waiting.append(waited)
            trace.seconds.append(time.perf_counter() - started)
            scores = after_step(step + 1, trace)
            if scores and self.monitor.update(scores):
                self.best_weights = BestWeights.take(self.learner, self.strategy, self.parameters, step + 1)
            if self.monitor.stops:
                self.settle(step)
            if checkpointer:
                checkpointer.keep(self, step + 1)
        self.loader.check_taken(made, done)
        self._end()
        if checkpointer:
            checkpointer.keep(self, len(trace.losses), ended=True)
        return trace

    def step(self, step: int, micro_batches: list[MicroBatch]) -> None:
        """Run optimizer step `step` (from 0) on its micro-batches."""
        factor = self.monitor.factor * rate(step, self.loader.steps, self.training)
        for group, base in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = base * factor * group.get("lr_scale", 1.0)
        self.strategy.before_step(self.learner, step)
        self.pending.append(self._backward(micro_batches))
        if self.scaling is None or self.scaling.fits():
            self.update(step)
        self.optimizer.zero_grad(set_to_none=True)

    def _backward(self, micro_batches: list[MicroBatch]) -> tuple[Tensor, Tensor]:
        """Accumulate the gradient of one optimizer step; return the task's loss and the minimised loss."""
        task_total = total = torch.zeros((), device=self.learner.device)
        for micro_batch in micro_batches:
            outputs = self.forward(micro_batch.batch)
            task_loss = self.loader.task.loss(outputs, micro_batch.batch)
            loss = self.strategy.loss(self.learner, micro_batch.batch, outputs, task_loss)
            share = loss if micro_batch.share == 1 else loss * micro_batch.share
            torch.autograd.backward(share if self.scaling is None else self.scaling.scaled(share))
            task_total = task_total + task_loss.detach() * micro_batch.share
            total = total + loss.detach() * micro_batch.share
        return task_total, total

    def update(self, step: int) -> None:
        """Update the weights with the accumulated gradients."""
        self.strategy.after_backward(self.learner, step)
        if self.training.clip is not None:
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.training.clip)
            if not self.on_gpu and not math.isfinite(norm):
                self.settle(step)
                raise Diverged(_broken_gradient(self.parameters, self.names, self.trace, step))
        self.optimizer.step()
        self.strategy.after_step(self.learner, step)

    def settle(self, step: int) -> None:
        """Read the losses of the steps since the last read, up to `step`; on a GPU this waits for the device."""
        _settle(self.trace, self.pending, step)

    def _end(self) -> None:
        if self.scaling is not None:
            self.trace.skipped = self.scaling.skipped
        if self.best_weights is not None:
            self.best_weights.restore(self.learner, self.strategy, self.parameters)
            self.trace.kept, self.best_weights = self.best_weights.step, None


def _settle(trace: Trace, pending: list[tuple[Tensor, Tensor]], step: int) -> None:
    """Read the losses of the steps since the last read; on a GPU this waits for the device."""
    if not pending:
        return
    task_losses, losses = torch.stack([torch.stack(pair) for pair in pending]).T.tolist()
    trace.task_losses.extend(task_losses)
    trace.losses.extend(losses)
    pending.clear()
    for place, loss in enumerate(losses):
        if not math.isfinite(loss):
            number = step + 1 - len(losses) + place + 1
            message = f"the loss is {loss} at step {number}{_last_good(trace)}"
            raise Diverged(message)


def _last_good(trace: Trace) -> str:
    good = [value for value in trace.losses if math.isfinite(value)]
    return f"; the last finite one was {good[-1]:.4g}" if good else ""


def _broken_gradient(parameters: list[Parameter], names: dict[int, str], trace: Trace, step: int) -> str:
    """Return a message that names the first parameter whose gradient is not finite."""
    broken = [names[id(p)] for p in parameters if p.grad is not None and not bool(torch.isfinite(p.grad).all())]
    others = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    found = f"of {broken[0]}{others} is" if broken else "norm is"
    return f"the gradient {found} not finite at step {step + 1}; the loss was {trace.losses[-1]:.4g}"


def rate(step: int, steps: int, training: Training) -> float:
    """Return the factor on the learning rate at `step` (from 0): a linear warm-up, then the schedule down to 0.

    The drops of `plateau` are not included: they depend on the training.
    """
    warm = math.ceil(training.warmup * steps)
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    if training.schedule == "linear":
        return 1 - done
    if training.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    if training.schedule == "inverse_sqrt":
        return math.sqrt(max(1, warm) / max(1, step + 1))
    if training.schedule == "step":
        return float(training.step_factor ** sum(step >= share * steps for share in training.step_at))
    return 1.0


class Predicted(NamedTuple):
    """A learner's predictions on a split."""

    answers: list[NDArray[Any]]
    """The task's predictions, one array per example."""
    loss: float
    """The task's mean loss."""


@torch.inference_mode()
def predict(learner: Learner, task: Task, encoded: Encoded, batch_size: int) -> Predicted:
    """Compute a learner's predictions on a whole split in evaluation mode.

    Raises:
        Diverged: a prediction is infinite or not a number.
    """
    learner.eval()
    found: list[NDArray[Any]] = []
    total, terms = torch.zeros((), device=learner.device), 0
    with learner.reading(encoded):
        for begin in range(0, len(encoded), batch_size):
            rows = range(begin, min(begin + batch_size, len(encoded)))
            batch = {**task.collate(encoded, rows), "rows": torch.arange(rows.start, rows.stop)}
            batch = {name: tensor.to(learner.device) for name, tensor in batch.items()}
            outputs = learner.forward(batch)
            found += task.answers(outputs, batch)
            own = task.terms(batch)
            total, terms = total + task.loss(outputs, batch) * own, terms + own
    if not all(np.isfinite(one).all() for one in found):
        message = "the trained model's outputs are not finite"
        raise Diverged(message)
    return Predicted(found, float(total) / max(1, terms))
