"""Does a meter keep what every meter promises? Checked on a real training of a few steps, and without any."""

from __future__ import annotations

import os
import re
import threading
import time
import traceback
from typing import TYPE_CHECKING, get_args

from ..api.device import DeviceProbe
from ..api.finished_trial import FinishedTrial, Step
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
"""Units of what a trial cannot have none of: a zero there is a reading that was not taken."""
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def check_meter(make: Callable[[], Meter], backbone: Backbone, task: Task) -> list[Finding]:
    """Check a meter on one backbone and task, on the CPU.

    Args:
        make: gives a fresh instance of the meter each time.
        backbone: is loaded and trained whole for a dozen steps.
        task: where its training examples come from; sixteen are used.

    Returns:
        One finding per property; the first one alone where the meter raised.
    """
    threads = set(threading.enumerate())
    try:
        first, again = _watched(make(), backbone, task)
        second, _ = _watched(make(), backbone, task)
        idle = _idle(make())
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is the finding
        place = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"{type(error).__name__}: {error} ({os.path.basename(place.filename)}:{place.lineno})"  # noqa: PTH119 - a name
        return [Finding("it measures a trial without raising", passed=False, detail=detail)]
    left = [thread.name for thread in set(threading.enumerate()) - threads]
    return list(_findings(first, again, second, idle, left))


def _findings(
    first: Sequence[Measurement],
    again: Sequence[Measurement],
    second: Sequence[Measurement],
    idle: Sequence[Measurement],
    left: list[str],
) -> Iterator[Finding]:
    yield Finding("it measures a trial without raising", passed=True)
    yield _none("it gives measurements", [] if first else ["none"])
    seen = [(m.name, m.task) for m in first]
    yield _none("no reading is given twice", [name for name, task in set(seen) if seen.count((name, task)) > 1])
    yield _none("names are words in small letters joined by _", [m.name for m in first if not _NAME.fullmatch(m.name)])
    yield _none("every reading has a unit", [m.name for m in first if not m.unit.strip()])
    yield _none(
        "every direction is one of higher, lower, none",
        [m.name for m in first if m.direction not in get_args(Direction)],
    )
    everything = [*first, *idle]
    yield _none(
        "every reading has a value or a reason, and not both",
        [m.name for m in everything if (m.value is None) == (not m.reason)],
    )
    yield _none("every value tells its method", [m.name for m in first if m.value is not None and not m.method])
    yield _none(
        "every value is a number that can be measured",
        [m.name for m in everything if m.value is not None and not is_number(m.value)],
    )
    zeros = [m.name for m in first if m.value == 0 and PHYSICAL.fullmatch(m.unit)]
    yield _none("no zero stands for what was not measured", zeros)
    yield _none("a second stop gives the same readings", _differ(first, again))
    yield _none("two trials give readings of the same names, units and directions", _differ(first, second))
    yield _none("it ends the threads it began", left)


def _watched(meter: Meter, backbone: Backbone, task: Task) -> tuple[list[Measurement], list[Measurement]]:
    """Let a meter watch a short training, and stop it twice."""
    from ..training.phases import Phases

    watch = Watch(
        "cpu", os.getpid(), profile="smoke", probe=DeviceProbe("no device is given to a meter that is checked")
    )
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
        steps = _steps(learner, task, encoded)
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
    if meter.where == "trial":
        with phases.phase("probe"):
            meter.examine(
                FinishedTrial(
                    learner, task, encoded, lambda take: take(Step(BATCH, BATCH, 0.0) for _ in steps), lambda: None
                )
            )
    return list(meter.stop()), list(meter.stop())


def _steps(learner: Learner, task: Task, encoded: Encoded) -> Iterator[float]:
    """Make plain training steps without end; gives their losses."""
    import torch

    optimizer = torch.optim.SGD(learner.model.parameters(), lr=1e-3)
    batch = {**task.collate(encoded, range(BATCH)), "rows": torch.arange(BATCH)}
    while True:
        loss = task.loss(learner.forward(batch), batch)
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        yield float(loss.detach())


def _idle(meter: Meter) -> list[Measurement]:
    """Stop a meter of the runner at once, as where a trial died in its first moment; one of the trial is not asked then."""
    if type(meter).where != "runner":
        return []
    meter.start(Watch("cpu", os.getpid(), probe=DeviceProbe("no device is given to a meter that is checked")))
    return list(meter.stop())


def _differ(one: Sequence[Measurement], other: Sequence[Measurement]) -> list[str]:
    first, second = ({(m.name, m.task, m.unit, m.direction) for m in given} for given in (one, other))
    return sorted({name for name, *_ in first ^ second})


def _none(what: str, broken: Sequence[str]) -> Finding:
    return Finding(what, not broken, detail=", ".join(map(str, broken)))
