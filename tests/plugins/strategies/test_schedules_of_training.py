"""Strategies that change what trains, or how fast, while they train."""

import pytest
import torch

from ftbench_plugins.strategies.modules.depth import by_depth
from ftbench_plugins.strategies.replay import choose
from tests.plugins.strategies.test_every_strategy import bench_for


@pytest.fixture
def ready(catalog, model_folder):
    task = catalog.build("tasks", "word-sentiment", {"train_size": 16, "validation_size": 0, "test_size": 16})
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))})
    data = task.encode(task.splits(0).train, backbone.load(2).processor)

    def make(use, stages=1, training=None, **options):
        bench, learner, watch = bench_for(catalog, task, data, backbone, stages=stages, **(training or {}))
        strategy = catalog.build("strategies", use, options)
        strategy.prepare(learner, bench)
        return strategy, learner, bench, watch, task

    return make


def test_depth_runs_from_the_embeddings_to_the_last_block_and_what_stands_on_it(ready):
    _, learner, *_ = ready("full")
    names = {id(p): name for name, p in learner.model.named_parameters()}
    groups = [{names[id(p)].split(".")[1] for p in group} for group in by_depth(learner)]
    assert groups == [{"embeddings"}, {"encoder"}, {"encoder", "pooler"}]
    assert sum(map(len, by_depth(learner))) == len(list(learner.model.parameters())) - 2


def test_layerwise_rates_fall_by_the_decay_from_the_top(ready):
    strategy, learner, *_ = ready("layerwise", decay=0.5)
    scales = {}
    for group in strategy.param_groups(learner):
        for parameter in group["params"]:
            scales[id(parameter)] = group["lr_scale"]
    expected = [0.125, 0.25, 0.5]
    assert [{scales[id(p)] for p in group} for group in by_depth(learner)] == [{e} for e in expected]
    assert {scales[id(p)] for p in learner.head_parameters()} == {1.0}
    assert len(scales) == len(list(learner.model.parameters()))


def test_a_scale_is_a_learning_rate(ready, catalog):
    """With plain steps of one length, a parameter moves in proportion to its scale."""
    strategy, learner, bench, *_ = ready(
        "layerwise", training={"steps": 1, "clip": None, "weight_decay": 0.0, "warmup": 0.0}, decay=0.1
    )
    before = {name: p.detach().clone() for name, p in learner.model.named_parameters()}
    strategy.fit(learner, bench)
    moved = {name: float((p.detach() - before[name]).abs().max()) for name, p in learner.model.named_parameters()}
    # Adam's first step has the length of the rate, whatever the gradient.
    assert moved["classifier.weight"] == pytest.approx(1e-2, rel=0.01)
    assert moved["bert.encoder.layer.1.output.dense.weight"] == pytest.approx(1e-3, rel=0.05)
    assert moved["bert.encoder.layer.0.output.dense.weight"] == pytest.approx(1e-4, rel=0.05)
    assert moved["bert.embeddings.LayerNorm.weight"] == pytest.approx(1e-5, rel=0.05)


def opened(strategy, learner, steps):
    """List which depths train after each step; -1 is the head."""
    groups = [*by_depth(learner)]
    found = []
    for step in range(steps):
        strategy.before_step(learner, step)
        found.append([number for number, group in enumerate(groups) if group and group[0].requires_grad])
    return found


def test_gradual_unfreezing_opens_one_group_an_epoch_from_the_top(ready):
    strategy, learner, *_ = ready("gradual", training={"epochs": 5, "steps": None, "batch_size": 8})
    assert opened(strategy, learner, 10) == [
        [],
        [],
        [2],
        [2],
        [1, 2],
        [1, 2],
        [0, 1, 2],
        [0, 1, 2],
        [0, 1, 2],
        [0, 1, 2],
    ]


def test_gradual_unfreezing_leaves_what_is_frozen_to_the_last_bit(ready):
    strategy, learner, bench, watch, _ = ready(
        "gradual", training={"epochs": 2, "steps": None, "batch_size": 8, "weight_decay": 0.5}
    )
    before = {name: p.detach().clone() for name, p in learner.model.named_parameters()}
    strategy.fit(learner, bench)
    moved = {name for name, p in learner.model.named_parameters() if not torch.equal(p, before[name])}
    assert {name.split(".")[0] for name in moved} >= {"classifier"}
    assert not [name for name in moved if "embeddings" in name or "layer.0" in name]
    assert [name for name in moved if "layer.1" in name]
    # The declared set is the union over the run, frozen groups included.
    assert len(watch.traces[0].trained) == len(before)


def test_the_probe_trains_the_head_alone_and_then_everything_does(ready):
    strategy, learner, *_ = ready("lpft", training={"steps": 4})
    groups = strategy.param_groups(learner)
    head = {id(p) for p in learner.head_parameters()}
    seen = []
    for step in range(4):
        strategy.before_step(learner, step)
        scale = {g["lr_scale"] for g in groups if id(g["params"][0]) in head}
        seen.append((all(p.requires_grad for p in learner.backbone_parameters()), scale))
    assert seen == [(False, {20.0}), (False, {20.0}), (True, {1.0}), (True, {1.0})]


def test_l2sp_is_its_formula_and_pulls_towards_the_pretrained_weights(ready):
    strategy, learner, *_ = ready("l2sp", alpha=0.3, beta=0.7)
    before = {id(p): p.detach().clone() for p in learner.model.parameters()}
    with torch.no_grad():
        for parameter in learner.model.parameters():
            parameter.add_(0.01)
    head = {id(p) for p in learner.head_parameters()}
    pull = sum(float((p.detach() - before[id(p)]).square().sum()) for p in learner.backbone_parameters())
    weight = sum(float(p.detach().square().sum()) for p in learner.model.parameters() if id(p) in head)
    found = strategy.loss(learner, {}, None, torch.tensor(1.0)).detach()
    assert float(found) == pytest.approx(1 + 0.15 * pull + 0.35 * weight, rel=1e-4)
    assert all(group["weight_decay"] == 0 for group in strategy.param_groups(learner))


def test_a_memory_keeps_its_size_and_is_balanced():
    import numpy as np

    labels = np.array([0] * 50 + [1] * 10 + [2] * 3)
    kept = choose(labels, 12, "balanced", np.random.default_rng(0))
    assert len(set(kept)) == 12
    assert sorted(np.bincount(labels[list(kept)]).tolist()) == [3, 4, 5]
    assert len(choose(labels, 100, "balanced", np.random.default_rng(0))) == 63
    assert len(choose(labels, 100, "reservoir", np.random.default_rng(0))) == 63


def test_a_reservoir_keeps_every_example_with_equal_chance():
    import numpy as np

    rng = np.random.default_rng(0)
    counts = np.zeros(20)
    for _ in range(2000):
        counts[list(choose(np.zeros(20), 5, "reservoir", rng))] += 1
    expected, spread = 2000 * 5 / 20, 3 * np.sqrt(2000 * 0.25 * 0.75)
    assert (np.abs(counts - expected) < spread).all()


def test_replay_remembers_training_examples_of_earlier_tasks_only(ready):
    strategy, learner, bench, _, task = ready("replay", stages=3, memory=10)
    strategy.fit(learner, bench)
    assert strategy._memory == []
    for stage in (1, 2):
        strategy.end_stage(learner, bench)
        assert sum(len(r.rows) for r in strategy._memory) <= 10
        bench.stage = stage
        learner.activate(f"task-{stage}", task)
        assert [r.label for r in strategy._memory] == [f"task-{n}" for n in range(stage)]
        strategy.fit(learner, bench)
    assert learner.active == "task-2"
    assert learner.model.classifier is learner.heads["task-2"]["classifier"]
    ids = {strategy._memory[0].encoded.ids[row] for row in strategy._memory[0].rows}
    assert ids <= set(bench.encoded("train", 0).ids)


def test_replay_trains_the_old_heads_too(ready):
    strategy, learner, bench, watch, task = ready("replay", stages=2, memory=8)
    strategy.fit(learner, bench)
    strategy.end_stage(learner, bench)
    old = {k: v.clone() for k, v in learner.heads["task-0"]["classifier"].state_dict().items()}
    bench.stage = 1
    learner.activate("task-1", task)
    strategy.fit(learner, bench)
    now = learner.heads["task-0"]["classifier"].state_dict()
    assert not any(torch.equal(old[k], now[k]) for k in old)
    assert {"classifier.weight", "heads.task-0.classifier.weight"} <= set(watch.traces[1].trained)
