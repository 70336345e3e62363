"""Predicted memory and measured throughput, held against what CUDA itself says. `-s` prints the table of the README."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from ftbench import FinishedTrial, Trace, Training, Watch
from ftbench.meters import StageData, account
from ftbench.training.accounting.throughput_probe import ThroughputProbe

from ftbench_plugins.meters.time import TimeMeter
from tests.training.accounting.test_accounting import EIGHT

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]

TASKS = {"minilm": "word-sentiment", "tiny-vit": "digits", "tiny-wav2vec2": "spoken-commands"}
WORKSPACES = 96 * 2**20
"""What matrix products take of the allocator beside tensors, and what it rounds up."""


@pytest.fixture(scope="module")
def stage(catalog):
    made = {}

    def get(use):
        if use not in made:
            task = catalog.build("tasks", TASKS[use], {})
            backbone = catalog.build("backbones", use, {})
            train = task.encode(task.splits(0).train[:64], backbone.load_processor())
            made[use] = (
                backbone,
                StageData(
                    "task", task, Training(batch_size=16, lr=1e-4), {"train": train}, lambda *_: {"train": train}
                ),
            )
        return made[use]

    return get


@pytest.mark.parametrize("use", TASKS)
@pytest.mark.parametrize("strategy", EIGHT)
def test_the_predicted_peak_is_what_the_allocator_saw(strategy, use, stage, catalog):
    backbone, ground = stage(use)
    chosen = catalog.build("strategies", strategy, {})
    stages = [ground, replace(ground, label="again")] if chosen.needs_sequence else [ground]
    predicted = account(backbone, catalog.build("strategies", strategy, {}), stages, catalog, target="cuda").peak.total
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    ThroughputProbe(stages, backbone, catalog, lambda steps: list(islice(steps, 4)), seed=0, device="cuda:0").run(
        chosen
    )
    seen = torch.cuda.max_memory_allocated() - before
    print(f"| {use} | {strategy} | {predicted / 2**20:.1f} | {seen / 2**20:.1f} | {predicted / seen - 1:+.1%} |")
    assert predicted == pytest.approx(seen, rel=0.1, abs=WORKSPACES)


def test_throughput_is_that_of_cuda_events(stage, catalog):
    backbone, ground = stage("minilm")
    spans = []

    def repeat(take):
        def timed(steps):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            units = 0.0
            for step in steps:
                units += step.units
                end.record()
                yield step
                spans[:] = [(units, begin, end)]

        ThroughputProbe([ground], backbone, catalog, lambda steps: take(timed(steps)), seed=0, device="cuda:0").run(
            catalog.build("strategies", "full", {})
        )

    meter = TimeMeter()
    watch = Watch("cuda:0", 0)
    watch.traces.append(Trace("task", "tokens"))
    meter.start(watch)
    meter.examine(FinishedTrial(backbone.load(2), ground.task, ground.open["train"], repeat, torch.cuda.synchronize))
    throughput = meter.stop()[1]
    ((units, begin, end),) = spans
    assert throughput.value == pytest.approx(units / (begin.elapsed_time(end) / 1000), rel=0.1)
    assert throughput.flags == ()
