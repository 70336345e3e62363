"""What all meters together cost a training, in CPU seconds over those of its steps; looked at in two ways.

What they take themselves is read off: of the thread that samples the device, which is the runner's, and of their work at the edges of
phases. What those in the trial's process cost its steps is what the same steps of one learner take under their eyes against alone, by
turns (with, without, without, with: what drifts evenly is on both sides alike).
"""

import os
import time

import numpy as np
import pytest
import torch
from ftbench import Loader, Training, Watch
from ftbench.suite.suite import Measure
from ftbench.training.loop import Loop
from scipy.stats import t as student

from tests.support.scripted_probe import MIB, ScriptedProbe

ROUNDS = 40
"""Each has two blocks of steps with meters and two without."""
STEPS = 20
GOAL = 1.01
SHORT_TRIAL = 100
"""Steps of a training whose edges are looked at: most have more."""
PHASES = ("load", "prepare", "warm-up", "train", "evaluate", "save")


class Clock:
    def now(self):
        return time.monotonic()


class Metered:
    """A training that goes on for as long as it is asked to, and the meters that can watch it."""

    def __init__(self, catalog):
        torch.set_num_threads(1)
        task = catalog.build("tasks", "digits", {})
        self.learner = catalog.build("backbones", "tiny-vit", {}).load(len(task.classes))
        self.learner.adopt_head("digits", self.learner)
        self.learner.activate("digits", task)
        strategy = catalog.build("strategies", "full", {})
        strategy.prepare(self.learner, None)
        train = task.encode(task.splits(0).train, self.learner.processor)
        self.loader = Loader(train, task, Training(steps=STEPS, batch_size=16, lr=1e-6), seed=0)
        self.loop = Loop(self.learner, self.loader, strategy, "digits")
        self.catalog = catalog
        self.names = Measure().meters
        self.sampling = []
        """CPU seconds of the sampler over the time meanwhile, which is that of the steps on an idle machine; block by block."""

    def steps(self):
        """Make some steps; gives the CPU seconds of all threads."""
        begun = time.process_time()
        self.loop.run(lambda *_: None)
        return time.process_time() - begun

    def meters(self, *where):
        """Make the meters that sit there, and what they look at."""
        watch = Watch(
            "cpu",
            os.getsid(0),
            probe=ScriptedProbe(Clock(), processes=[(os.getpid(), 500 * MIB)]),
            learner=self.learner,
        )
        built = [self.catalog.build("meters", name, {}) for name in self.names]
        return [meter for meter in built if meter.where in where], watch

    def metered_steps(self, *where):
        """Make the same steps in the middle of a training that is metered, by default as in a trial's process."""
        meters, watch = self.meters(*(where or ("trial",)))
        for meter in meters:
            meter.start(watch)
            if meter.where == "trial":
                meter.enter("train")
        seconds = self.steps()
        for meter in meters:
            if meter.where == "trial":
                meter.leave("train")
        found = {reading.name: reading.value for meter in meters for reading in meter.stop()}
        if "sampling_cost" in found:
            self.sampling.append(found["sampling_cost"])
        return seconds

    def edges(self):
        """Let the meters see all phases of a trial of 100 steps, with nothing in them; gives CPU seconds, and what was read."""
        meters, watch = self.meters("trial", "runner")
        trace = self.loop.trace
        for values in (trace.units, trace.padded, trace.waiting, trace.seconds, trace.losses, trace.task_losses):
            del values[SHORT_TRIAL:]
        watch.traces.append(trace)
        begun = time.process_time()
        for meter in meters:
            meter.start(watch)
        for phase in PHASES:
            for moment in ("enter", "leave"):
                for meter in meters:
                    if meter.where == "trial":
                        getattr(meter, moment)(phase)
        found = [reading for meter in meters for reading in meter.stop()]
        return time.process_time() - begun, {reading.name for reading in found if reading.value is not None}


def interval(values):
    """Give mean and 95 % t-interval."""
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return np.mean(values), np.mean(values) - half, np.mean(values) + half


@pytest.mark.timeout(600)
def test_all_meters_together_cost_a_hundredth_of_a_step_at_most(catalog):
    training = Metered(catalog)
    sides = {"with": training.metered_steps, "without": training.steps}
    order = ("with", "without", "without", "with")
    for side in order:
        sides[side]()
    ratios, alone = [], []
    for _ in range(ROUNDS):
        seconds = [(side, sides[side]()) for side in order]
        spent = {side: sum(s for name, s in seconds if name == side) for side in sides}
        ratios.append(spent["with"] / spent["without"])
        alone.append(spent["without"] / (2 * STEPS))
    for _ in range(ROUNDS):
        training.metered_steps("trial", "runner")
    assert len(training.loop.trace.seconds) >= SHORT_TRIAL
    edges = [training.edges() for _ in range(20)]
    read = set.intersection(*(found for _, found in edges))
    assert {"throughput", "trainable_parameters", "energy", "peak_device_memory"} <= read, "all of them looked"

    step = float(np.median(alone))
    at_edges = float(np.median([seconds for seconds, _ in edges])) / (SHORT_TRIAL * step)
    sampling, *bounds = interval(training.sampling)
    ratio, low, high = (value + at_edges for value in interval(ratios))
    print(
        f"\nsteps of {1000 * step:.1f} ms; the meters themselves take {sampling + at_edges:.4f} of them: the sampler {sampling:.4f} "
        f"[{bounds[0]:.4f}, {bounds[1]:.4f}], work at the edges {at_edges:.4f} of a training of {SHORT_TRIAL} steps\n"
        f"steps of the trial with meters against without, and the edges: {ratio:.4f} [{low:.4f}, {high:.4f}] in {ROUNDS} rounds (goal {GOAL})"
    )
    assert 1 + sampling + at_edges <= GOAL
    assert low <= GOAL, "dearer than noise explains"
