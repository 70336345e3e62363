"""The accounting of the networks that come with ftbench, against what torch itself says of a real training of theirs."""

import gc
from dataclasses import replace

import pytest
import torch
from ftbench import Training
from ftbench.api.meter import Watch
from ftbench.meters import StageData, account
from ftbench.training.bench import TrialBench
from ftbench.training.phases import Phases
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from tests.training.accounting.test_accounting import EIGHT

TASKS = {"minilm": "word-sentiment", "tiny-vit": "digits", "tiny-wav2vec2": "spoken-commands"}
BATCH = 16
QUICK = [
    ("tiny-vit", "full"),
    ("tiny-vit", "prefix"),
    ("tiny-vit", "distillation"),
    ("minilm", "lora"),
    ("tiny-wav2vec2", "bitfit"),
]


@pytest.fixture(scope="module")
def stage(catalog):
    """Give a backbone, and a task of one batch: each step of a training so sees the same examples."""
    made = {}

    def get(use):
        if use not in made:
            task, backbone = catalog.build("tasks", TASKS[use], {}), catalog.build("backbones", use, {})
            train = task.encode(task.splits(0).train[:BATCH], backbone.load_processor())
            protocol = Training(batch_size=BATCH, eval_batch_size=BATCH, lr=1e-4, epochs=None, steps=3)
            made[use] = backbone, StageData("task", task, protocol, {"train": train})
        return made[use]

    return get


def stages_of(ground, strategy):
    return [ground, replace(ground, label="again")] if strategy.needs_sequence else [ground]


class OwningBench(TrialBench):
    """A bench whose second learners lie in torch's own memory, not in that of the file they were read from."""

    def _loaded(self, backbone, ground):
        learner = super()._loaded(backbone, ground)
        for parameter in learner.model.parameters():
            parameter.data = parameter.data.clone()
        return learner


class Training3:
    """A real training of three steps, made by the loop that trials are trained by; nothing of the accounting takes part."""

    def __init__(self, backbone, stages, strategy, catalog):
        self.strategy, self.stages, self.after = strategy, stages, []
        watch = Watch("cpu", 0)
        phases = Phases(watch, [], lambda: None)
        self.bench = OwningBench(
            stages, backbone, catalog, phases, watch, seed=0, device=torch.device("cpu"), after_step=self._after_step
        )
        self.learner = None
        for number, ground in enumerate(stages):
            self.bench.stage = number
            donor = backbone.load(ground.task.outputs, ground.task.answer)
            self.learner = self.learner or donor
            self.learner.adopt_head(ground.label, donor)
        self.bench.stage = 0
        self.learner.activate(stages[0].label, stages[0].task)
        self.bench.adopt(self.learner)
        strategy.prepare(self.learner, self.bench)

    def _after_step(self, bench, learner, loader, step, trace):
        if learner is self.learner:
            for each in self.after:
                each()

    def run(self):
        for number, ground in enumerate(self.stages):
            self.bench.stage = number
            self.learner.activate(ground.label, ground.task)
            self.strategy.fit(self.learner, self.bench)
            if number + 1 < len(self.stages):
                self.strategy.foresee_end_stage(self.learner, self.bench)


def counted(training):
    """Count the FLOPs of the last step by torch's counter; of the CPU's own attention by torch's formula for all the others."""
    aten = torch.ops.aten
    own = {
        aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
        aten._scaled_dot_product_flash_attention_for_cpu_backward: lambda g, q, k, v, *_, **__: (
            sdpa_backward_flop_count(g, q, k, v)
        ),
    }
    totals = [0]
    with FlopCounterMode(display=False, custom_mapping=own) as counter:
        training.after.append(lambda: totals.append(counter.get_total_flops()))
        training.run()
    return totals[-1] - totals[-2]


def allocated(training):
    """Give the most bytes that torch's allocator had given out, and numpy's batch, which it knows nothing of."""
    gc.collect()
    tensors = [
        tensor
        for named in (training.learner.named_parameters(), training.learner.named_buffers())
        for _, tensor in named
    ]
    live = sum({tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors}.values())
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        training.run()
    changes = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    peak = live
    for change in sorted(changes, key=lambda event: event.start_ns()):
        live += change.nbytes()
        peak = max(peak, live)
    ground = training.stages[-1]
    batch = ground.task.collate(ground.open["train"], range(BATCH))
    return peak + sum(tensor.nbytes for tensor in batch.values()) + 8 * BATCH


@pytest.mark.parametrize(
    ("use", "strategy"),
    [pytest.param(u, s, marks=() if (u, s) in QUICK else pytest.mark.thorough) for u in TASKS for s in EIGHT],
)
def test_it_is_what_torch_says_of_a_real_training(use, strategy, stage, catalog):
    backbone, ground = stage(use)

    def fresh():
        return catalog.build("strategies", strategy, {})

    stages = stages_of(ground, fresh())
    fake, real = (account(backbone, fresh(), stages, catalog, fake=how) for how in (True, False))
    flops = counted(Training3(backbone, stages, fresh(), catalog))
    bytes_given = allocated(Training3(backbone, stages, fresh(), catalog))
    print(f"| {use} | {strategy} | {fake.flops:,} | {real.flops:,} | {flops:,} ", end="")
    print(
        f"| {fake.peak.total:,} | {real.peak.total:,} | {bytes_given:,} | {fake.peak.total / real.peak.total - 1:+.3%} |"
    )
    assert fake.flops == real.flops == flops
    assert fake.peak.total == pytest.approx(real.peak.total, rel=0.005)
    assert fake == real
    if (use, strategy) == ("tiny-wav2vec2", "frozen"):
        # The peak is inside a kernel of the forward pass, which copies its input to have it in order: no tensor anyone sees.
        assert bytes_given > real.peak.total
    else:
        # A factor that is a number of Python's is kept as a tensor of eight bytes, which no operation makes.
        assert 0 <= bytes_given - real.peak.total <= (8 * 16 if strategy == "lora" else 0)
