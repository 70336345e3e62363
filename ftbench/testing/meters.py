"""Check a meter against its contract, both on a real training of a few steps and without any training."""

from __future__ import annotations

import os
import re
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ..api.device import DeviceProbe
from ..api.finished_trial import FinishedTrial, Step
from ..api.footprint import Tuned
from ..api.measurement import Direction, Measurement, is_number
from ..api.meter import Trace, Watch
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..api.backbone import Backbone
    from ..api.encoded import Encoded
    from ..api.learner import Learner
    from ..api.meter import Meter
    from ..api.task import Task

STEPS = 12
BATCH = 4
PHYSICAL = re.compile(r"B|J|W|s|Hz|°C|.+/s")
"""Units in which a trial never measures zero: a zero means that the measurement was not taken."""
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def check_meter(make: Callable[[], Meter], backbone: Backbone, task: Task) -> list[Finding]:
    """Check a meter on one backbone and task, on the CPU.

    Args:
        make: returns a fresh instance of the meter each time.
        backbone: backbone to load and train fully for twelve steps.
        task: task that provides the sixteen training examples.

    Returns:
        One finding per property; only the first one if the meter raised.
    """
    threads = set(threading.enumerate())
    try:
        first, again = _measure_training(make(), backbone, task)
        second, _ = _measure_training(make(), backbone, task)
        idle = _measure_idle(make())
    except Exception as error:  # noqa: BLE001 - any error of a plugin becomes the finding
        frame = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"
        return [Finding("measuring a trial raises no error", passed=False, detail=detail)]
    running = [thread.name for thread in set(threading.enumerate()) - threads]
    return list(_findings(first, again, second, idle, running))


def _findings(
    first: Sequence[Measurement],
    again: Sequence[Measurement],
    second: Sequence[Measurement],
    idle: Sequence[Measurement],
    running: list[str],
) -> Iterator[Finding]:
    yield Finding("measuring a trial raises no error", passed=True)
    yield _expect_none("the meter returns measurements", [] if first else ["none"])
    seen = [(m.name, m.task) for m in first]
    yield _expect_none(
        "no measurement is returned twice", [name for name, task in set(seen) if seen.count((name, task)) > 1]
    )
    yield _expect_none("names are lower-case words joined by _", [m.name for m in first if not _NAME.fullmatch(m.name)])
    yield _expect_none("every measurement has a unit", [m.name for m in first if not m.unit.strip()])
    yield _expect_none(
        "every direction is one of higher, lower, none",
        [m.name for m in first if m.direction not in get_args(Direction)],
    )
    everything = [*first, *idle]
    yield _expect_none(
        "every measurement has either a value or a reason",
        [m.name for m in everything if (m.value is None) == (not m.reason)],
    )
    yield _expect_none("every value has a method", [m.name for m in first if m.value is not None and not m.method])
    yield _expect_none(
        "every value is a finite number of plausible size",
        [m.name for m in everything if m.value is not None and not is_number(m.value)],
    )
    zeros = [m.name for m in first if m.value == 0 and PHYSICAL.fullmatch(m.unit)]
    yield _expect_none("no zero replaces a missing measurement", zeros)
    yield _expect_none("a second stop returns the same measurements", _differing_names(first, again))
    yield _expect_none("two trials give the same names, units and directions", _differing_names(first, second))
    yield _expect_none("all started threads have ended", running)


def _measure_training(meter: Meter, backbone: Backbone, task: Task) -> tuple[list[Measurement], list[Measurement]]:
    """Run a short training under a meter, stop the meter twice, and return both results."""
    from ..training.phases import Phases

    watch = Watch("cpu", os.getpid(), profile="smoke", probe=DeviceProbe("a meter under test gets no device"))
    phases = Phases(watch, [meter] if meter.where == "trial" else [], lambda: None)
    meter.start(watch)
    with phases.phase("load"):
        learner = backbone.load(task.outputs, task.answer)
        learner.adopt_head("task", learner)
        learner.activate("task", task)
        encoded = task.encode(task.splits(0).train[:16], learner.processor)
        if meter.where == "trial":
            watch.learner = learner
    with phases.phase("train"):
        trace = Trace("task", task.unit, planned=STEPS, trained={n: p.numel() for n, p in learner.named_parameters()})
        steps = _train_steps(learner, task, encoded)
        for _ in range(STEPS):
            begun = time.perf_counter()
            loss = next(steps)
            trace.losses.append(loss)
            trace.task_losses.append(loss)
            trace.units.append(BATCH)
            trace.padded.append(BATCH)
            trace.waiting.append(0.0)
            trace.seconds.append(time.perf_counter() - begun)
        if meter.where == "trial":
            watch.traces.append(trace)
            watch.tuned = _tuned_fully(learner)
    if meter.where == "trial":
        with phases.phase("probe"):
            meter.examine(
                FinishedTrial(
                    learner, task, encoded, lambda take: take(Step(BATCH, BATCH, 0.0) for _ in steps), lambda: None
                )
            )
    return list(meter.stop()), list(meter.stop())


def _tuned_fully(learner: Learner) -> Tuned:
    head = sum(parameter.numel() for parameter in learner.head_parameters())
    backbone = sum(parameter.numel() for parameter in learner.backbone_parameters())
    return Tuned(backbone, head, sum(parameter.nbytes for parameter in learner.model.parameters()))


def _train_steps(learner: Learner, task: Task, encoded: Encoded) -> Iterator[float]:
    """Train step by step without end and yield the loss of each step."""
    import torch

    optimizer = torch.optim.SGD(learner.model.parameters(), lr=1e-3)
    batch = {**task.collate(encoded, range(BATCH)), "rows": torch.arange(BATCH)}
    while True:
        loss = task.loss(learner.forward(batch), batch)
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        yield float(loss.detach())


def _measure_idle(meter: Meter) -> list[Measurement]:
    """Start and stop a runner meter at once, as for a trial that dies immediately; return [] for a trial meter."""
    if type(meter).where != "runner":
        return []
    meter.start(Watch("cpu", os.getpid(), probe=DeviceProbe("a meter under test gets no device")))
    return list(meter.stop())


def _differing_names(one: Sequence[Measurement], other: Sequence[Measurement]) -> list[str]:
    """Return names of measurements whose name, task, unit or direction differs."""
    first, second = ({(m.name, m.task, m.unit, m.direction) for m in given} for given in (one, other))
    return sorted({name for name, *_ in first ^ second})


def _expect_none(name: str, broken: Sequence[str]) -> Finding:
    """Return a finding that passes if `broken` is empty."""
    return Finding(name, not broken, detail=", ".join(map(str, broken)))
