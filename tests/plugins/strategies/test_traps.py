"""What is known to go wrong without an error in fine-tuning code, each held by a test."""

import numpy as np
import pytest
import torch
from ftbench import Learner
from torch import nn

from ftbench_plugins.backbones.architectures import ARCHITECTURES
from ftbench_plugins.backbones.loading import make_card
from tests.plugins.strategies.test_peft_family import answers, ready  # noqa: F401 - a fixture

HEADS = {
    "wav2vec2": {"projector", "classifier"},
    "hubert": {"projector", "classifier"},
    "whisper": {"projector", "classifier"},
    "vit": {"classifier"},
    "audio-spectrogram-transformer": {"classifier"},
    "resnet": {"classifier"},
    "bert": {"classifier"},
    "roberta": {"classifier"},
    "distilbert": {"pre_classifier", "classifier"},
    "gpt2": {"score"},
}


@pytest.mark.parametrize("kind", HEADS)
def test_the_whole_random_head_trains_and_not_only_what_is_called_classifier(kind, ready):  # noqa: F811
    strategy, learner, bench, *_ = ready(kind, "lora")
    before = {name: p.detach().clone() for name, p in learner.trainable() if "lora_" not in name}
    assert {name.split(".")[0] for name in before} == HEADS[kind]
    assert {id(p) for p in learner.head_parameters()} <= {id(p) for _, p in learner.trainable()}
    strategy.fit(learner, bench)
    after = dict(learner.model.named_parameters())
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_a_frozen_resnet_keeps_its_running_statistics_through_every_call_of_train(ready):  # noqa: F811
    for use in ("frozen", "lora", "bitfit"):
        strategy, learner, bench, *_ = ready("resnet", use)
        before = {name: buffer.clone() for name, buffer in learner.model.named_buffers()}
        assert len(before) == 18
        strategy.fit(learner, bench)
        learner.train()
        assert all(torch.equal(before[name], buffer) for name, buffer in learner.model.named_buffers()), use


def test_no_layer_is_dropped_so_that_adalora_finds_a_gradient_for_every_rank(ready):  # noqa: F811
    strategy, learner, bench, *_ = ready("wav2vec2", "adalora")
    assert learner.model.config.layerdrop == 0
    strategy.fit(learner, bench)


def test_speech_is_not_masked_at_random_while_the_backbone_is_frozen(ready):  # noqa: F811
    """SpecAugment draws from numpy's global generator, in training mode even where nothing below the head trains."""
    _, learner, _, batch, _ = ready("wav2vec2", "frozen")
    learner.model.train()
    given = []
    for seed in (1, 2):
        torch.manual_seed(0)
        np.random.seed(seed)  # noqa: NPY002 - the generator transformers draws from
        with torch.no_grad():
            given.append(learner.forward(batch).logits)
    assert torch.equal(*given)


def test_a_tied_weight_is_counted_once():
    """109,514,298 parameters in BERT under its language model, and not 132,985,716."""
    import transformers as t

    with torch.device("meta"):
        model = t.BertForMaskedLM(t.BertConfig())
    model.tie_weights()
    learner = Learner(model, ARCHITECTURES["bert"].resolve(_under_a_head(model)), None, _card("bert"))
    assert sum(p.numel() for _, p in learner.trainable()) == 109_514_298


def _under_a_head(model):
    """Resolve the roles on a classifier of the same shape: a language model has no head of that name."""
    import transformers as t

    with torch.device("meta"):
        return t.BertForSequenceClassification(model.config)


def _card(kind):
    return make_card({"model_type": kind}, licence="", source="", full_lr=1.0)


@pytest.mark.parametrize("use", ["prefix", "prompt", "adapter", "lora"])
def test_recomputing_activations_changes_no_gradient(use, ready):  # noqa: F811
    """peft refuses its prefixes together with gradient checkpointing."""
    gradients = []
    for recompute in (False, True):
        _, learner, _, batch, _ = ready("vit", use)
        for module in learner.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        if recompute:
            enable = (
                getattr(learner.model, "activation_checkpointing_enable", None)
                or learner.model.gradient_checkpointing_enable
            )
            enable()
        learner.train()
        learner.forward(batch).logits.square().sum().backward()
        gradients.append({name: p.grad for name, p in learner.trainable()})
    plain, recomputed = gradients
    assert all(torch.allclose(plain[name], recomputed[name], atol=1e-6) for name in plain)


def test_a_parameter_frozen_in_the_middle_of_training_stays_to_the_last_bit():
    """AdamW moves a parameter whose gradient is zero, by momentum and decay; only one whose gradient is None stays."""
    moved, kept = (nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = torch.optim.AdamW([moved, kept], lr=0.1, weight_decay=0.1)
    (moved.sum() + kept.sum()).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    moved.grad = torch.zeros(3)
    before = moved.detach().clone(), kept.detach().clone()
    optimizer.step()
    assert not torch.equal(before[0], moved)
    assert torch.equal(before[1], kept)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "vit", "wav2vec2", "audio-spectrogram-transformer"])
@pytest.mark.parametrize("use", ["lora", "vera", "adalora", "ia3", "adapter", "prefix", "prompt"])
def test_taken_out_again_the_backbone_answers_as_before_to_the_last_bit(use, kind, ready):  # noqa: F811
    strategy, learner, bench, batch, _ = ready(kind, use, **({"train_layer_norm": False} if use == "adapter" else {}))
    _, plain, *_ = ready(kind, "none")
    strategy.fit(learner, bench)
    for name in plain.roles.head:
        learner.model.get_submodule(name).load_state_dict(plain.model.get_submodule(name).state_dict())
    assert not torch.equal(answers(learner, batch), answers(plain, batch))
    _take_out(learner)
    assert torch.equal(answers(learner, batch), answers(plain, batch))
    own = dict(learner.model.named_parameters())
    assert all(torch.equal(p, own[name]) for name, p in plain.model.named_parameters())


def _take_out(learner):
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(learner.model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            parent, _, leaf = name.rpartition(".")
            setattr(learner.model.get_submodule(parent), leaf, module.get_base_layer())
    for module in learner.model.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    learner.model.set_attn_implementation("sdpa")


@pytest.mark.parametrize("use", ["full", "lora", "adapter"])
@pytest.mark.parametrize("kind", ["vit", "wav2vec2"])
def test_four_examples_are_learnt_by_heart(use, kind, ready, catalog, model_folder):  # noqa: F811
    from tests.plugins.strategies.test_every_strategy import bench_for

    _, learner, bench, *_ = ready(kind, "none")
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))})
    four = bench.encoded().take(range(4))
    bench, learner, watch = bench_for(
        catalog, bench.task, four, backbone, steps=100, batch_size=4, lr=1e-2, schedule="constant"
    )
    strategy = catalog.build("strategies", use, {})
    strategy.prepare(learner, bench)
    strategy.fit(learner, bench)
    assert watch.traces[0].task_losses[-1] < 0.05
