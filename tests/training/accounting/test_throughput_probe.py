"""A training gone through once more, on a discarded copy, to be timed."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from ftbench import FinishedTrial, Training
from ftbench.meters import StageData
from ftbench.training.accounting.throughput_probe import ThroughputProbe

from tests.plugins.strategies.test_every_strategy import STRATEGIES


@pytest.fixture(scope="module")
def ground(catalog):
    task = catalog.build("tasks", "digits", {"train_size": 20, "validation_size": 0, "test_size": 20})
    backbone = catalog.build("backbones", "tiny-vit", {})
    processor = backbone.load_processor()
    train = task.encode(task.splits(0).train, processor)

    def encode(backbone, processor):
        return {"train": task.encode(task.splits(0).train, processor)}

    return backbone, StageData("digits", task, Training(batch_size=8, epochs=2, lr=1e-3), {"train": train}, encode)


def probed(catalog, ground, use, steps=6):
    backbone, stage = ground
    strategy = catalog.build("strategies", use, {})
    stages = [stage, replace(stage, label="again")] if strategy.needs_sequence else [stage]
    taken = []
    ThroughputProbe(
        stages, backbone, catalog, lambda made: taken.append(list(islice(made, steps))), seed=0, device="cpu"
    ).run(strategy)
    return taken


@pytest.mark.parametrize("use", [use for use in STRATEGIES if use != "adaptive_pretraining"])
def test_every_strategy_can_be_timed_for_as_many_steps_as_are_asked_for(use, catalog, ground):
    taken = probed(catalog, ground, use)
    if use == "none":
        assert taken == []
        return
    assert taken, "its training was handed over"
    # Twenty examples make batches of 8, 8 and 4, epoch after epoch.
    assert [step.units for step in taken[-1]] == [8, 8, 4, 8, 8, 4]
    assert [step.padded for step in taken[-1]] == [8, 8, 4, 8, 8, 4]
    assert all(step.waiting > 0 for step in taken[-1])


def test_pretraining_anew_is_left_out_of_what_is_timed(catalog, model_folder):
    task = catalog.build("tasks", "word-sentiment", {"train_size": 16, "validation_size": 0, "test_size": 16})
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))})
    train = task.encode(task.splits(0).train, backbone.load_processor())
    taken = probed(
        catalog,
        (backbone, StageData("words", task, Training(batch_size=8, lr=1e-3), {"train": train})),
        "adaptive_pretraining",
    )
    assert [len(steps) for steps in taken] == [6]
    assert all(step.padded >= step.units for step in taken[0])


def test_only_the_last_stage_is_timed(catalog, ground):
    assert len(probed(catalog, ground, "ewc")) == 1


def test_nothing_of_the_finished_model_changes(catalog, ground):
    backbone, stage = ground
    learner = backbone.load(stage.task.outputs)
    learner.adopt_head("digits", learner)
    learner.activate("digits", stage.task)
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}

    def train_again(take):
        ThroughputProbe([stage], backbone, catalog, take, seed=0, device="cpu").run(
            catalog.build("strategies", "full", {})
        )

    finished = FinishedTrial(learner, stage.task, stage.open["train"], train_again, lambda: None)
    finished.train(lambda steps: [next(steps) for _ in range(3)])
    assert [units for units, _ in zip(finished.answers(8), range(5), strict=False)] == [8.0] * 5
    assert [units for units, _ in zip(finished.answers(32), range(2), strict=False)] == [32.0] * 2, (
        "few examples come again"
    )
    assert all(torch.equal(before[name], tensor) for name, tensor in learner.model.state_dict().items())
