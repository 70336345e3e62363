"""A compiled training ends where one that is not compiled ends, whatever a strategy put into the network."""

import os
import shutil

import pytest
import torch
from ftbench import UserError
from ftbench.training import compute as computing
from ftbench.training.compute import compute_as

from tests.plugins.strategies.test_every_strategy import bench_for, encoded  # noqa: F401 - a fixture

CPU = torch.device("cpu")
CASES = [
    ("full", {}),
    ("gradual", {}),
    ("adalora", {}),
    ("adapter", {}),
    ("prefix", {"projection": True}),
    ("prompt", {"depth": "deep"}),
    ("distillation", {"hidden": 1.0}),
]
ALIKE = [("frozen", {"layers": "mix"}), ("lora", {}), ("adapter", {"kind": "parallel"}), ("prefix", {}), ("replay", {})]
"""Whose networks, or whose course, are seen in others too."""


@pytest.fixture
def train(catalog, encoded):  # noqa: F811
    def run(kind, use, stages=1, options=None, **knobs):
        task, data, backbone = encoded(kind)
        bench, learner, watch = bench_for(
            catalog, task, data, backbone, stages=stages, **{"lr": 1e-3, "dropout": 0.0, **knobs}
        )
        compute_as(bench.training, learner, CPU)
        strategy = catalog.build("strategies", use, options or {})
        strategy.prepare(learner, bench)
        for stage in range(stages):
            bench.stage = stage
            learner.activate(f"task-{stage}", task)
            strategy.fit(learner, bench)
            if stage + 1 < stages:
                strategy.end_stage(learner, bench)
        strategy.finish(learner)
        learner.eval()
        with torch.no_grad():
            logits = learner.forward(task.collate(data, range(8))).logits
        return [loss for trace in watch.traces for loss in trace.losses], logits

    return run


def graphs():
    from torch._dynamo.utils import counters

    return counters["stats"]["unique_graphs"]


def agree(train, kind, use, **knobs):
    losses, logits = train(kind, use, **knobs)
    before = graphs()
    found, answers = train(kind, use, compile=True, **knobs)
    assert graphs() > before, "nothing was compiled"
    assert found == pytest.approx(losses, abs=1e-5)
    assert torch.allclose(answers, logits, atol=1e-4)


# Where the prefixes are made by a network, torch's compiler looks for the gradient of what is no parameter.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize(
    ("use", "options"), [*CASES, *(pytest.param(*case, marks=pytest.mark.thorough) for case in ALIKE)]
)
def test_it_ends_where_the_uncompiled_one_does(use, options, train, monkeypatch):
    monkeypatch.setattr(computing, "BACKEND", "aot_eager")
    agree(train, "vit", use, options=options)


@pytest.mark.parametrize("knobs", [{"precision": "bf16"}, {"gradient_checkpointing": True}, {"accumulation": 2}])
def test_together_with_other_knobs(knobs, train, monkeypatch):
    monkeypatch.setattr(computing, "BACKEND", "aot_eager")
    agree(train, "vit", "full", **knobs)


def test_each_stage_is_compiled_with_its_own_head(train, monkeypatch):
    monkeypatch.setattr(computing, "BACKEND", "aot_eager")
    agree(train, "vit", "replay", stages=2)


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="there is no C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchs_own_compiler_gives_the_same(train):
    agree(train, "vit", "lora")


def test_without_a_compiler_one_line_says_so(train, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserError) as caught:
        train("vit", "full", compile=True)
    expected = (
        "training.compile: no C++ compiler 'no-such-compiler' on this machine; install one, or set CXX to its path"
    )
    assert caught.value.mistakes == (expected,)
