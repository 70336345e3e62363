"""The only training loop. It knows no strategy: everything a strategy does goes through its contract."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .errors import Diverged
from .judge import Judge
from .kept import Kept
from .meter import Trace
from .optimizers import make_optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Parameter

    from .backbone import Learner
    from .encoded import Encoded
    from .loading import Loader
    from .measurement import Measurement
    from .strategy import Strategy
    from .suite import Training
    from .task import Lesson, Task

    AfterStep = Callable[[int, Trace], Sequence[Measurement] | None]

WINDOW = 20
"""Steps between two looks at a GPU: each look waits for it."""


def fit(learner: Learner, loader: Loader, strategy: Strategy, after_step: AfterStep, label: str) -> Trace:
    """Train `learner` on `loader` as `strategy` wants it.

    Args:
        learner: changed in place.
        loader: the batches, and the protocol they were made by.
        strategy: asked at each moment of its contract.
        after_step: called with the number of steps done and the trace so far; gives the scores on the validation split where
            it is time for them.
        label: the task's label, for the trace.

    Raises:
        Diverged: the loss is infinite or not a number.
        UserError: the task does not give the metric that is watched.
    """
    training = loader.training
    groups = strategy.param_groups(learner)
    optimizer = strategy.optimizer(learner, groups) or make_optimizer(groups, training)
    rates = [group["lr"] for group in optimizer.param_groups]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    names = {id(parameter): name for name, parameter in learner.named_parameters()}
    trace = Trace(
        label,
        loader.task.unit,
        order_hash=loader.order_hash(),
        planned=loader.steps,
        trained={names[id(parameter)]: parameter.numel() for parameter in parameters},
    )
    pending: list[tuple[Tensor, Tensor]] = []
    on_gpu = learner.device.type == "cuda"
    judge, kept = Judge(training), None
    learner.train()
    portions = iter(loader)
    for step in range(loader.steps):
        started = time.perf_counter()
        step_portions = next(portions)
        waited = time.perf_counter() - started
        factor = judge.factor * rate(step, loader.steps, training)
        for group, base in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = base * factor * group.get("lr_scale", 1.0)
        strategy.before_step(learner, step)
        pending.append(_backward(learner, strategy, loader.task, step_portions))
        strategy.after_backward(learner, step)
        if training.clip is not None:
            norm = torch.nn.utils.clip_grad_norm_(parameters, training.clip)
            if not on_gpu and not math.isfinite(norm):
                _settle(trace, pending, step)
                raise Diverged(_broken_gradient(parameters, names, trace, step))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        last = step + 1 == loader.steps
        if not on_gpu or last or (step + 1) % WINDOW == 0:
            _settle(trace, pending, step)
        trace.units.append(sum(portion.units for portion in step_portions))
        trace.waiting.append(waited)
        trace.seconds.append(time.perf_counter() - started)
        scores = after_step(step + 1, trace)
        if scores and judge.see(scores):
            kept = Kept(learner, strategy, parameters, step + 1)
        if judge.stops:
            break
    if pending:
        _settle(trace, pending, step)
    if kept is not None:
        kept.put_back(learner, strategy)
        trace.kept = kept.step
    return trace


def _backward(learner: Learner, strategy: Strategy, task: Lesson, portions: list[Any]) -> tuple[Tensor, Tensor]:
    """Accumulate the gradient of one optimizer step; gives the task's loss and what was minimised."""
    task_total = total = torch.zeros((), device=learner.device)
    for portion in portions:
        outputs = learner.forward(portion.batch)
        task_loss = task.loss(outputs, portion.batch)
        loss = strategy.loss(learner, portion.batch, outputs, task_loss)
        (loss if portion.share == 1 else loss * portion.share).backward()
        task_total = task_total + task_loss.detach() * portion.share
        total = total + loss.detach() * portion.share
    return task_total, total


def _settle(trace: Trace, pending: list[tuple[Tensor, Tensor]], step: int) -> None:
    """Read the losses of the steps since the last look; on a GPU this waits for it."""
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
    """Tell whose gradient is infinite or no number; the first one in the network where there are several."""
    broken = [names[id(p)] for p in parameters if p.grad is not None and not bool(torch.isfinite(p.grad).all())]
    others = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    found = f"of {broken[0]}{others} is" if broken else "norm is"
    return f"the gradient {found} not finite at step {step + 1}; the loss was {trace.losses[-1]:.4g}"


def rate(step: int, steps: int, training: Training) -> float:
    """Give the factor on the learning rate at `step` (from 0): a linear warm-up, then the schedule down to 0.

    The falls of `plateau` are not in it: they depend on how the training goes.
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


@torch.inference_mode()
def predict(learner: Learner, task: Task, encoded: Encoded, batch_size: int) -> NDArray[np.float32]:
    """Give the logits of a whole split in evaluation mode, shape [examples, classes].

    Raises:
        Diverged: a logit is infinite or not a number.
    """
    learner.eval()
    parts = []
    for begin in range(0, len(encoded), batch_size):
        batch = task.collate(encoded, range(begin, min(begin + batch_size, len(encoded))))
        batch = {name: tensor.to(learner.device) for name, tensor in batch.items()}
        parts.append(learner.forward(batch).logits.float().cpu())
    logits = torch.cat(parts).numpy()
    if not np.isfinite(logits).all():
        message = "the trained model's outputs are not finite"
        raise Diverged(message)
    return logits
