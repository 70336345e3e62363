"""What all meters together cost a training step: CPU seconds with them over those without, interleaved, in one process.

The device is sampled twenty times a second by a thread of the same process, which is worse than in a run: there it is the runner's.
"""

import copy
import os
import statistics
import time

import pytest
import torch
from ftbench import Bench, Ground, Training, Watch
from ftbench.phases import Phases
from ftbench.suite import Measure

from tests.scripted_probe import MIB, ScriptedProbe

PAIRS = 9
STEPS = 30
GOAL = 1.01


class Clock:
    def now(self):
        return time.monotonic()


@pytest.fixture(scope="module")
def ready(catalog):
    torch.set_num_threads(1)
    task = catalog.build("tasks", "word-sentiment", {})
    backbone = catalog.build("backbones", "minilm", {})
    learner = backbone.load(2)
    learner.adopt_head("words", learner)
    learner.activate("words", task)
    train = task.encode(task.splits(0).train, learner.processor)
    return learner, backbone, Ground("words", task, Training(steps=STEPS, batch_size=16, lr=1e-4), {"train": train})


def trained(ready, catalog, names):
    """Train a copy under the eyes of some meters; gives CPU seconds of all threads, and how often the device was asked."""
    learner, backbone, ground = ready
    learner = copy.deepcopy(learner)
    strategy = catalog.build("strategies", "full", {})
    watch = Watch("cpu", os.getsid(0), profile="smoke", probe=ScriptedProbe(Clock(), processes=[(os.getpid(), 500 * MIB)]))
    watch.learner = learner
    meters = [catalog.build("meters", name, {}) for name in names]
    phases = Phases(watch, [meter for meter in meters if meter.where == "trial"], lambda: None)
    bench = Bench(
        [ground], backbone, catalog, phases, watch, seed=0, device=torch.device("cpu"), after_step=lambda *_: None
    )  # fmt: skip
    bench.adopt(learner)
    strategy.prepare(learner, bench)
    begun = time.process_time()
    for meter in meters:
        meter.start(watch)
    with phases.phase("train"):
        strategy.fit(learner, bench)
    found = [reading for meter in meters for reading in meter.stop()]
    return time.process_time() - begun, {reading.name for reading in found if reading.value is not None}


def test_all_meters_together_cost_a_hundredth_of_a_step_at_most(ready, catalog):
    names = Measure().meters
    _, read = trained(ready, catalog, names)
    assert {"throughput", "peak_host_memory", "trainable_parameters", "energy", "peak_device_memory"} <= read, "all of them looked"
    trained(ready, catalog, ())
    ratios = []
    for pair in range(PAIRS):
        sides = [names, ()] if pair % 2 else [(), names]
        seconds = {side: trained(ready, catalog, side)[0] for side in sides}
        ratios.append(seconds[names] / seconds[()])
    ratio = statistics.median(ratios)
    print(f"\nwith all meters against without: {ratio:.4f} (goal {GOAL}), {min(ratios):.3f} to {max(ratios):.3f} in {PAIRS} pairs")
    assert ratio < GOAL + 0.02, "dearer than noise explains"
