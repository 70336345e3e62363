"""bf16 and fp16: what is computed in them, what stays in fp32, and what becomes of gradients that overflow."""

import copy
import math

import numpy as np
import pytest
import torch
from ftbench import Diverged, Loader, NotApplicable, Training
from ftbench.training.compute import compute_as
from ftbench.training.loop import fit, predict
from ftbench.training.optimizers import LONGEST, Scaling
from ftbench.training.seeding import seed_all

from tests.plugins.strategies.test_every_strategy import NOT_APPLICABLE, STRATEGIES, bench_for, encoded  # noqa: F401 - a fixture

CPU = torch.device("cpu")


@pytest.fixture
def train(catalog):
    """Train a tiny learner in a precision; gives it, its trace, and its optimizer's state."""
    task = catalog.build("tasks", "digits", {"train_size": 64, "validation_size": 0, "test_size": 40})
    seed_all(0)
    learner = catalog.build("backbones", "tiny-vit", {}).load(10)
    learner.adopt_head("digits", learner)
    learner.activate("digits", task)
    data = task.encode(task.splits(0).train, learner.processor)

    def run(precision, after_backward=None, **knobs):
        one = copy.deepcopy(learner)
        training = Training(**{"epochs": 4, "batch_size": 16, "lr": 1e-3, "precision": precision, **knobs})
        compute_as(training, one, CPU)
        strategy = catalog.build("strategies", "full", {})
        strategy.prepare(one, None)
        if after_backward is not None:
            after_backward(one, strategy)
        trace = fit(one, Loader(data, task, training, seed=3), strategy, lambda step, trace: None, "digits")
        return one, trace, data

    return run


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.05), ("fp16", 0.01)])
def test_losses_differ_from_those_of_fp32_a_little_and_weights_stay_in_fp32(precision, tolerance, train):
    _, whole, _ = train("fp32")
    learner, half, data = train(precision)
    assert half.losses != whole.losses
    assert half.losses == pytest.approx(whole.losses, rel=tolerance)
    assert half.losses[-1] < 0.8 * half.losses[0]
    assert {parameter.dtype for parameter in learner.model.parameters()} == {torch.float32}
    assert half.skipped == 0
    logits = np.stack(predict(learner, learner.task, data, 16).answers)
    learner.compute_in("fp32")
    exact = np.stack(predict(learner, learner.task, data, 16).answers)
    assert logits.dtype == exact.dtype == "float32"
    assert 0 < abs(logits - exact).max() < 0.1


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_matrices_are_multiplied_in_the_precision_asked_for(precision, dtype, train):
    learner, _, data = train(precision, epochs=None, steps=1)
    seen = []
    learner.modules("ffn_in")[0].register_forward_hook(lambda module, arguments, output: seen.append(output.dtype))
    learner.train()
    learner.forward(learner.task.collate(data, range(4)))
    predict(learner, learner.task, data, 64)
    assert seen == [dtype, dtype]


@pytest.mark.parametrize("use", STRATEGIES)
@pytest.mark.parametrize(("precision", "kind"), [("bf16", "bert"), ("bf16", "vit"), ("fp16", "vit")])
def test_every_strategy_trains(precision, use, kind, catalog, encoded):  # noqa: F811
    if (use, kind) in NOT_APPLICABLE:
        return
    task, data, backbone = encoded(kind)
    options = {"epochs": 1} if use == "adaptive_pretraining" else {}
    bench, learner, watch = bench_for(catalog, task, data, backbone, lr=1e-3, precision=precision)
    compute_as(bench.training, learner, CPU)
    strategy = catalog.build("strategies", use, options)
    strategy.prepare(learner, bench)
    strategy.fit(learner, bench)
    strategy.end_stage(learner, bench)
    strategy.finish(learner)
    assert all(math.isfinite(loss) for trace in watch.traces for loss in trace.losses)
    assert {p.dtype for p in learner.model.parameters()} == {torch.float32}
    assert np.shape(predict(learner, task, data, 16).answers) == (16, len(task.classes))


def test_a_step_whose_gradient_overflows_is_left_out_and_training_goes_on(train):
    acted, weights = [], {}

    def third(learner, strategy):
        steps = iter(range(6))
        weight = dict(learner.model.named_parameters())["vit.layers.1.mlp.fc1.weight"]
        weight.register_hook(lambda gradient: gradient * math.inf if next(steps) == 2 else None)

        def note(learner, step):
            weights[step] = {name: parameter.detach().clone() for name, parameter in learner.model.named_parameters()}

        strategy.before_step = note
        strategy.after_backward = lambda learner, step: acted.append(step)

    _, trace, _ = train("fp16", third, epochs=None, steps=6)
    assert trace.skipped == 1
    assert acted == [0, 1, 3, 4, 5]
    assert all(torch.equal(weights[2][name], weights[3][name]) for name in weights[2])
    assert not any(
        torch.equal(weights[3][name], weights[4][name]) for name in ("classifier.weight", "vit.layers.1.mlp.fc1.weight")
    )
    assert len(trace.losses) == 6


def test_gradients_that_never_fit_are_divergence(train):
    def always(learner, strategy):
        weight = dict(learner.model.named_parameters())["vit.layers.1.mlp.fc1.weight"]
        weight.register_hook(lambda gradient: gradient * math.inf)

    with pytest.raises(Diverged, match=f"the gradient was not finite at {LONGEST} consecutive steps"):
        train("fp16", always, epochs=None, steps=LONGEST + 5)


def test_a_gradient_comes_back_to_its_own_size():
    weight = torch.nn.Parameter(torch.tensor([2.0, 3.0]))
    scaling = Scaling(torch.optim.SGD([weight], lr=1.0), [weight], CPU)
    loss = (weight**2).sum()
    scaled = scaling.scaled(loss)
    assert float(scaled.detach()) == 65536 * 13
    scaled.backward()
    assert scaling.fits()
    assert weight.grad.tolist() == [4.0, 6.0]


def test_a_gpu_without_bf16_is_told(train, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla V100")
    with pytest.raises(NotApplicable, match="Tesla V100 does not support bf16; use fp16 or fp32"):
        compute_as(Training(steps=1, precision="bf16"), train("fp32", epochs=None, steps=1)[0], torch.device("cuda:0"))
