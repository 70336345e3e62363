"""Prefix tuning against its formula, against peft, and against the traps that fail silently."""

import pytest
import torch
from ftbench import Learner
from torch import nn

from ftbench_plugins.backbones.architectures import ARCHITECTURES
from ftbench_plugins.backbones.loading import make_card
from ftbench_plugins.strategies.modules.prefix_attention import attach_prefixes, prefix_attention
from tests.support.tiny_models import build

CPU = torch.device("cpu")


def learner_of(kind):
    torch.manual_seed(0)
    model = build(kind).eval()
    return Learner(
        model,
        ARCHITECTURES[kind].resolve(model),
        None,
        make_card({"model_type": kind}, licence="", source="", full_lr=1.0),
    )


def words(rows=3, length=9):
    torch.manual_seed(1)
    return torch.randint(4, 100, (rows, length))


def attached(kind, length=5):
    learner = learner_of(kind)
    torch.manual_seed(2)
    attach_prefixes(learner.model, learner.modules("attention"), length, CPU)
    return learner


@torch.no_grad()
def test_attention_with_a_prefix_is_the_softmax_over_prefix_and_keys():
    torch.manual_seed(0)
    layer = nn.Module()
    prefix = nn.Module()
    prefix.keys, prefix.values = torch.randn(3, 8), torch.randn(3, 8)
    layer.ftbench_prefix = (prefix,)
    query, key, value = (torch.randn(2, 2, 4, 4) for _ in range(3))
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=torch.bool)[:, None, None].expand(2, 1, 4, 4)
    output, _ = prefix_attention(layer, query, key, value, mask)
    keys = torch.cat([prefix.keys.view(3, 2, 4).transpose(0, 1).expand(2, -1, -1, -1), key], 2)
    values = torch.cat([prefix.values.view(3, 2, 4).transpose(0, 1).expand(2, -1, -1, -1), value], 2)
    scores = query @ keys.transpose(-1, -2) / 2
    scores = scores.masked_fill(~torch.cat([torch.ones(2, 1, 4, 3, dtype=torch.bool), mask], -1), -torch.inf)
    assert torch.allclose(output, (scores.softmax(-1) @ values).transpose(1, 2), atol=1e-6)


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
@torch.no_grad()
def test_it_is_pefts_prefix_tuning_once_positions_are_shifted(kind):
    from peft import PrefixTuningConfig, get_peft_model

    length = 5
    learner = attached(kind, length)
    theirs = get_peft_model(
        learner_of(kind).model, PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=length)
    ).eval()
    stacked = torch.cat([torch.cat([p.keys, p.values], -1) for p in learner.model.ftbench_prefixes], -1)
    theirs.prompt_encoder["default"].embedding.weight.copy_(stacked)
    head = learner.roles.head[0]
    theirs.base_model.get_submodule(head).modules_to_save["default"].load_state_dict(
        learner.model.get_submodule(head).state_dict()
    )

    ids = words()
    mask = torch.ones_like(ids)
    shift = length + (1 if kind == "roberta" else 0)
    positions = torch.arange(ids.shape[1]).expand_as(ids) + shift
    ours = learner.model(input_ids=ids, attention_mask=mask, position_ids=positions).logits
    expected = theirs(input_ids=ids, attention_mask=mask).logits
    assert torch.allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "distilbert"])
@torch.no_grad()
def test_padding_changes_nothing_with_a_prefix_on(kind):
    learner = attached(kind)
    ids = words(1, 6)
    padded = torch.cat([ids, torch.zeros(1, 4, dtype=torch.long)], 1)
    mask = torch.tensor([[1] * 6 + [0] * 4])
    alone = learner.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    assert torch.allclose(alone, learner.model(input_ids=padded, attention_mask=mask).logits, atol=1e-6)
    other = padded.clone()
    if kind != "gpt2":  # which finds the last real token by its id
        other[0, 7:] = 9
    assert torch.allclose(alone, learner.model(input_ids=other, attention_mask=mask).logits, atol=1e-6)


@torch.no_grad()
def test_a_causal_model_stays_causal_and_loses_no_key():
    learner = attached("gpt2")
    ids = words(1, 8)
    hidden = learner.model.transformer(input_ids=ids).last_hidden_state
    later = ids.clone()
    later[0, -1] = (ids[0, -1] + 7) % 200
    changed = learner.model.transformer(input_ids=later).last_hidden_state
    assert torch.allclose(hidden[0, :-1], changed[0, :-1], atol=1e-6)
    assert not torch.allclose(hidden[0, -1], changed[0, -1], atol=1e-3)
    # The last real key counts: with the causal crop of the plain kernel it would be cut off.
    masked = learner.model.transformer(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    assert torch.allclose(hidden, masked, atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "vit", "wav2vec2", "audio-spectrogram-transformer"])
def test_every_prefix_of_every_layer_has_a_gradient(kind):
    learner = attached(kind)
    inputs = {
        "vit": {"pixel_values": torch.randn(2, 3, 32, 32)},
        "wav2vec2": {"input_values": torch.randn(2, 4000)},
        "audio-spectrogram-transformer": {"input_values": torch.randn(2, 64, 16)},
    }.get(kind, {"input_ids": words()})
    learner.model(**inputs).logits.square().sum().backward()
    assert len(learner.model.ftbench_prefixes) == 2
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learner.model.ftbench_prefixes.parameters())


@torch.no_grad()
def test_a_prefix_of_length_zero_is_the_backbone():
    plain = learner_of("bert").model
    learner = attached("bert", 0)
    ids = words()
    mask = torch.ones_like(ids)
    assert torch.equal(
        plain(input_ids=ids, attention_mask=mask).logits, learner.model(input_ids=ids, attention_mask=mask).logits
    )


def prepared(kind, catalog, **options):
    learner = learner_of(kind)
    bench = type("Bench", (), {"device": CPU})
    strategy = catalog.build("strategies", "prefix", options)
    strategy.prepare(learner, bench)
    return strategy, learner


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
@torch.no_grad()
def test_the_option_shifts_positions_as_peft_does(kind, catalog):
    strategy, learner = prepared(kind, catalog, length=5, position_shift=True)
    ids = words()
    mask = torch.ones_like(ids)
    shifted = learner.model(input_ids=ids, attention_mask=mask).logits
    unshifted = learner_of(kind)
    attach_prefixes(unshifted.model, unshifted.modules("attention"), 5, CPU)
    unshifted.model.load_state_dict(learner.model.state_dict())
    positions = torch.arange(ids.shape[1]).expand_as(ids) + 5 + (1 if kind == "roberta" else 0)
    assert torch.equal(shifted, unshifted.model(input_ids=ids, attention_mask=mask, position_ids=positions).logits)
    assert strategy.length == 5


def test_a_shift_without_positions_or_beyond_them_is_refused(catalog, model_folder):
    from ftbench import NotApplicable, UserError

    with pytest.raises(NotApplicable, match="vit is given no positions"):
        catalog.build("strategies", "prefix", {"position_shift": True}).check(learner_of("vit").card)
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))})
    with pytest.raises(UserError, match="a prefix of 64 leaves nothing of the backbone's 64 positions"):
        catalog.build("strategies", "prefix", {"position_shift": True, "length": 64}).check(backbone.card())
    catalog.build("strategies", "prefix", {"position_shift": True, "length": 63}).check(backbone.card())


@pytest.mark.parametrize("kind", ["bert", "gpt2", "vit", "wav2vec2"])
def test_the_projection_counts_as_published_trains_and_is_dropped(kind, catalog):
    length, hidden = 4, 16
    strategy, learner = prepared(kind, catalog, length=length, projection=True, hidden=hidden)
    head = {id(p) for p in learner.head_parameters()}
    counted = sum(p.numel() for _, p in learner.trainable() if id(p) not in head)
    assert counted == length * 32 + (32 * hidden + hidden) + (hidden + 1) * 2 * 2 * 32
    inputs = {
        "vit": {"pixel_values": torch.randn(2, 3, 32, 32)},
        "wav2vec2": {"input_values": torch.randn(2, 8000)},
    }.get(kind, {"input_ids": words()})
    learner.model(**inputs).logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learner.model.ftbench_prefix_encoder.parameters())
    learner.eval()
    with torch.no_grad():
        before = learner.model(**inputs).logits
        strategy.finish(learner)
        after = learner.model(**inputs).logits
    assert torch.equal(before, after)
    assert not [name for name, _ in learner.model.named_parameters() if "encoder" in name and "ftbench" in name]
    assert sum(p.numel() for p in learner.model.ftbench_prefixes.parameters()) == 2 * 2 * length * 32
