"""The best weights, whatever the strategy: all that moved is as it was at their step."""

import pytest
import torch
from ftbench import Measurement

from tests.plugins.strategies.test_every_strategy import STRATEGIES, bench_for

STEPS = 8
TRAINING = {"steps": STEPS, "keep": "best", "validations": STEPS}


@pytest.fixture
def train(catalog, model_folder):
    """Train as if validations became better up to a step; give what there was at that step, and at the end."""
    task = catalog.build("tasks", "word-sentiment", {"train_size": 16, "validation_size": 0, "test_size": 16})
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))})
    data = task.encode(task.splits(0).train, backbone.load(2).processor)

    def run(use, best, stages=1, **options):
        bench, learner, watch = bench_for(catalog, task, data, backbone, stages=stages, **TRAINING)
        strategy = catalog.build("strategies", use, options)
        then = {}

        def after_step(bench, one, loader, step, trace):
            if one is learner and step == best:
                then.update({name: tensor.clone() for name, tensor in state(learner).items()})
            return [Measurement("loss", float(abs(step - best)), "nat", "lower")] if one is learner else None

        bench._after_step = after_step
        strategy.prepare(learner, bench)
        strategy.fit(learner, bench)
        return strategy, learner, bench, watch, then

    return run


def state(learner):
    return {**dict(learner.model.state_dict()), **dict(learner.named_buffers()), **dict(learner.named_parameters())}


@pytest.mark.parametrize("use", [use for use in STRATEGIES if use != "none"])
def test_all_that_moves_is_put_back(use, train):
    options = {"epochs": 1} if use == "adaptive_pretraining" else {}
    _, learner, _, watch, then = train(use, 3, **options)
    now = state(learner)
    assert watch.traces[0].kept == 3
    assert now.keys() == then.keys()
    assert all(torch.equal(now[name], then[name]) for name in now)


def test_the_ranks_adalora_holds_at_the_end_are_those_of_the_step_that_is_kept(train):
    """Its budget falls from step 2 to 6; what was zero at step 3 stays so, and what was not is not put to zero."""
    held = {}
    for best in (1, 3, 8):
        strategy, learner, *_, then = train("adalora", best, target_rank=2, initial_rank=6)
        strategy.end_stage(learner, None)
        pattern = strategy._tuner.peft_config["default"].rank_pattern
        held[best] = sum(map(sum, pattern.values())) if pattern else None
        for name, value in learner.model.named_parameters():
            if "lora_E" in name and pattern:
                assert torch.equal(value.view(-1), then[name].view(-1) * torch.tensor(pattern[name]))
    assert held[1] is None
    assert held[3] > held[8] == 2 * 4


@pytest.mark.parametrize("best", [1, 5, 6])
def test_adalora_goes_on_from_the_step_that_was_kept(best, train):
    strategy, learner, bench, *_ = train("adalora", best, stages=2, target_rank=2, initial_rank=6)
    strategy.end_stage(learner, bench)
    bench.stage = 1
    learner.activate("task-1", bench.task)
    bench._after_step = lambda *_: None
    strategy.fit(learner, bench)
    strategy.finish(learner)


def test_parts_that_are_combined_go_back_together(train):
    strategy, _, *_ = train("combine", 1, parts=["bitfit", {"use": "adalora", "target_rank": 2, "initial_rank": 6}])
    assert strategy.state()[1][0] == 1
    assert strategy.parts[1]._done == 1
