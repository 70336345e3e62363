"""Dropout is what the suite says, in every place where an architecture has some."""

import pytest
import torch
from ftbench import NotApplicable, Training
from ftbench.training.compute import compute_as

from tests.plugins.strategies.test_every_strategy import bench_for, encoded  # noqa: F401 - a fixture
from tests.support.tiny_models import KINDS

CPU = torch.device("cpu")
WITHOUT = ("resnet", "convnext")


def answers(learner, batch, times=2):
    """Return the outputs of several passes in training mode, which differ in their random numbers."""
    learner.train()
    found = []
    for seed in range(times):
        torch.manual_seed(seed)
        with torch.no_grad():
            found.append(learner.forward(batch).logits)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_without_dropout_two_passes_agree_and_with_it_they_do_not(kind, catalog, encoded):  # noqa: F811
    task, data, backbone = encoded(kind)
    batch = task.collate(data, range(8))
    _, learner, _ = bench_for(catalog, task, data, backbone)
    compute_as(Training(steps=1, dropout=0.0), learner, CPU)
    one, other = answers(learner, batch)
    assert torch.equal(one, other)
    if kind in WITHOUT:
        with pytest.raises(NotApplicable, match=f"{kind} has no dropout that could be set to 0.5"):
            compute_as(Training(steps=1, dropout=0.5), learner, CPU)
        return
    compute_as(Training(steps=1, dropout=0.5), learner, CPU)
    one, other = answers(learner, batch)
    assert not torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (*WITHOUT, "efficientnet")])
def test_attention_drops_too(kind, catalog, encoded, monkeypatch):  # noqa: F811
    """Every attention layer asks its kernel for the probability that was set, and for none in evaluation."""
    task, data, backbone = encoded(kind)
    batch = task.collate(data, range(4))
    _, learner, _ = bench_for(catalog, task, data, backbone)
    compute_as(Training(steps=1, dropout=0.25), learner, CPU)
    asked = []
    kernel = torch.nn.functional.scaled_dot_product_attention

    def listening(*arguments, dropout_p=0.0, **options):
        asked.append(dropout_p)
        return kernel(*arguments, dropout_p=dropout_p, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", listening)
    answers(learner, batch, times=1)
    assert set(asked) == {0.25}
    asked.clear()
    learner.eval()
    learner.forward(batch)
    assert set(asked) == {0.0}


def test_a_strategys_own_dropout_stays_its_own(catalog, encoded):  # noqa: F811
    task, data, backbone = encoded("bert")
    bench, learner, _ = bench_for(catalog, task, data, backbone)
    compute_as(Training(steps=1, dropout=0.0), learner, CPU)
    catalog.build("strategies", "lora", {"dropout": 0.3}).prepare(learner, bench)
    found = {
        module.p
        for name, module in learner.model.named_modules()
        if isinstance(module, torch.nn.Dropout) and "lora" in name
    }
    others = {
        module.p
        for name, module in learner.model.named_modules()
        if isinstance(module, torch.nn.Dropout) and "lora" not in name
    }
    assert (found, others) == ({0.3}, {0.0})


def test_the_configuration_says_what_is_dropped(catalog, encoded):  # noqa: F811
    for kind, name in (
        ("gpt2", "attn_pdrop"),
        ("bert", "attention_probs_dropout_prob"),
        ("wav2vec2", "feat_proj_dropout"),
    ):
        task, data, backbone = encoded(kind)
        _, learner, _ = bench_for(catalog, task, data, backbone)
        before = learner.model.config.layerdrop if kind == "wav2vec2" else None
        compute_as(Training(steps=1, dropout=0.4), learner, CPU)
        assert getattr(learner.model.config, name) == 0.4
        assert before is None or learner.model.config.layerdrop == before


def test_the_model_as_it_is_configured_is_left_alone(catalog, encoded):  # noqa: F811
    task, data, backbone = encoded("distilbert")
    _, learner, _ = bench_for(catalog, task, data, backbone)
    compute_as(Training(steps=1), learner, CPU)
    assert {m.p for m in learner.model.modules() if isinstance(m, torch.nn.Dropout)} == {0.1, 0.2}


def test_second_learners_drop_and_compute_as_the_protocol_says(catalog, encoded):  # noqa: F811
    task, data, backbone = encoded("bert")
    bench, _, _ = bench_for(catalog, task, data, backbone, examples=task.splits(0).train, dropout=0.3, precision="bf16")
    for learner in (bench.load(), bench.load(backbone), bench.load_language_model()):
        assert {m.p for m in learner.model.modules() if isinstance(m, torch.nn.Dropout)} == {0.3}
        seen = []
        learner.model.bert.encoder.layer[0].intermediate.dense.register_forward_hook(
            lambda m, a, o, seen=seen: seen.append(o.dtype)
        )
        learner.forward(task.collate(data, range(2)))
        assert seen == [torch.bfloat16]
