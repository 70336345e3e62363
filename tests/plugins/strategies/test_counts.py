"""Parameter counts: the published and hand-derived figures, head and backbone apart."""

from types import SimpleNamespace

import pytest
import torch

from tests.support.base_size import (
    Countable,
    base_config,
    base_model,
    base_size_learner,
    learner_of,
    trained_outside_the_head,
)
from tests.support.tiny_models import build

# Hidden 32, two layers, four heads, feed-forward 64, two labels: the head, and what each strategy adds or opens.
TINY = {
    "bert": {"total": 23_586, "head": 66, "bitfit": 640, "layernorm": 320, "lora": 2048, "prefix": 2560},
    "vit": {"total": 23_970, "head": 66, "bitfit": 640, "layernorm": 320, "lora": 2048, "prefix": 2560},
    "audio-spectrogram-transformer": {
        "total": 20_002,
        "head": 130,
        "bitfit": 640,
        "layernorm": 320,
        "lora": 2048,
        "prefix": 2560,
    },
    "wav2vec2": {"total": 30_818, "head": 562, "bitfit": 704, "layernorm": 384, "lora": 2048, "prefix": 2560},
    "gpt2": {"total": 30_784, "head": 64, "bitfit": 736, "layernorm": 320, "lora": 2048, "prefix": 2560},
    "roberta": {"total": 23_618, "head": 1122, "bitfit": 608, "layernorm": 320, "lora": 2048, "prefix": 2560},
    "resnet": {"total": 6_090, "head": 34, "bitfit": 72, "layernorm": 144},
}


class _Bench:
    device = torch.device("cpu")


def opened(catalog, kind, model, use, /, **options):
    learner = learner_of(kind, model)
    catalog.build("strategies", use, options).prepare(learner, _Bench())
    return trained_outside_the_head(learner), sum(p.numel() for p in learner.head_parameters())


@pytest.mark.parametrize("kind", ["bert", "vit", "roberta", "gpt2", "wav2vec2"])
def test_tiny_counts_are_the_hand_derived_ones(kind, catalog):
    expected = TINY[kind]
    for use in ("lora", "prefix"):
        assert opened(catalog, kind, build(kind), use)[0] == expected[use], use
    assert opened(catalog, kind, build(kind), "frozen") == (0, opened(catalog, kind, build(kind), "lora")[1])
    # Two adapters a layer, 2dm + m + d each, and a layer norm's 2d everywhere.
    norms = sum(p.numel() for m in build(kind).modules() if isinstance(m, torch.nn.LayerNorm) for p in m.parameters())
    assert opened(catalog, kind, build(kind), "adapter", bottleneck=8)[0] == 4 * (2 * 32 * 8 + 8 + 32) + norms
    assert opened(catalog, kind, build(kind), "adapter", bottleneck=8, kind="pfeiffer", train_layer_norm=False)[
        0
    ] == 2 * (2 * 32 * 8 + 8 + 32)


@pytest.mark.parametrize("kind", ["bert", "vit", "roberta", "gpt2", "wav2vec2"])
def test_a_parallel_adapter_a_layer_counts_2dm_m_d(kind, catalog):
    found = opened(catalog, kind, build(kind), "adapter", kind="parallel", bottleneck=16, train_layer_norm=False)
    assert found[0] == 2 * (2 * 32 * 16 + 16 + 32)


def test_a_subset_of_the_biases_is_that_of_the_projections_named(catalog):
    assert opened(catalog, "bert", build("bert"), "bitfit", which=("query",))[0] == 2 * 32
    assert opened(catalog, "bert", build("bert"), "bitfit", which=("query", "ffn_in"))[0] == 2 * (32 + 64)


BASE = {
    "bert": {
        "backbone": 109_482_240,
        "bitfit": 102_912,
        "lora": 294_912,
        "prefix": 368_640,
        "adapter": 2_379_264 + 38_400,
    },
    "vit": {
        "backbone": 85_798_656,
        "bitfit": 102_912,
        "lora": 294_912,
        "prefix": 368_640,
        "adapter": 2_379_264 + 38_400,
    },
    "wav2vec2": {
        "backbone": 94_371_712,
        "bitfit": 104_704 - 512,
        "lora": 294_912,
        "prefix": 368_640,
        "adapter": 2_379_264 + 39_424,
    },
    "gpt2": {
        "backbone": 124_439_808,
        "bitfit": 102_144,
        "lora": 294_912,
        "prefix": 368_640,
        "adapter": 2_379_264 + 38_400,
    },
    "roberta": {
        "backbone": 124_055_040,
        "bitfit": 102_144,
        "lora": 294_912,
        "prefix": 368_640,
        "adapter": 2_379_264 + 38_400,
    },
    "audio-spectrogram-transformer": {
        "backbone": 86_187_264,
        "bitfit": 102_912,
        "lora": 294_912,
        "prefix": 368_640,
        "adapter": 2_379_264 + 38_400,
    },
    "resnet": {"backbone": 23_508_032, "bitfit": 26_560},
}


@pytest.mark.parametrize("kind", BASE)
@pytest.mark.parametrize("use", ["bitfit", "lora", "prefix", "adapter", "frozen", "full"])
def test_base_size_counts_are_the_published_ones(kind, use, catalog):
    model = base_model(base_config(kind))
    learner = learner_of(kind, model)
    head = sum(p.numel() for p in learner.head_parameters())
    whole = sum(p.numel() for p in model.parameters())
    assert whole - head == BASE[kind]["backbone"]
    if use == "full":
        front = 4_200_448 if kind == "wav2vec2" else 0
        assert opened(catalog, kind, model, "full")[0] == BASE[kind]["backbone"] - front
    elif use == "frozen":
        assert opened(catalog, kind, model, "frozen") == (0, head)
        assert opened(catalog, kind, model, "frozen", last_k=1)[0] == (7_087_872 if kind != "resnet" else 4_462_592)
    elif use in BASE[kind]:

        class Meta:
            device = torch.device("meta")

        strategy = catalog.build("strategies", use, {})
        with torch.device("meta"):
            strategy.prepare(learner, Meta())
        assert trained_outside_the_head(learner) == BASE[kind][use]


@pytest.mark.parametrize("kind", TINY)
def test_the_tiny_models_are_the_size_they_are_said_to_be(kind):
    model = build(kind)
    learner = learner_of(kind, model)
    assert sum(p.numel() for p in model.parameters()) == TINY[kind]["total"]
    assert sum(p.numel() for p in learner.head_parameters()) == TINY[kind]["head"]


@pytest.mark.parametrize("kind", TINY)
def test_the_tiny_models_have_as_many_biases_and_norms_as_counted_by_hand(kind, catalog):
    for use in ("bitfit", "layernorm"):
        assert opened(catalog, kind, build(kind), use, freeze_feature_encoder=False)[0] == TINY[kind][use]


def test_a_frozen_front_end_keeps_its_biases_and_its_norm(catalog):
    assert opened(catalog, "wav2vec2", build("wav2vec2"), "bitfit")[0] == 704 - 16
    assert opened(catalog, "wav2vec2", build("wav2vec2"), "layernorm")[0] == 384 - 32


def test_an_encoder_named_after_its_norms_is_none(catalog):
    """Where norms come first, transformers calls blocks and encoder `…StableLayerNorm`: two norms in each of four
    blocks, and two more."""
    learner = catalog.build("backbones", "tiny-wav2vec2", {}).load(2)
    norms = 2 * 128 + 2 * 160 + 4 * 2 * (2 * 160)
    catalog.build("strategies", "layernorm", {}).prepare(learner, None)
    assert trained_outside_the_head(learner) == norms
    learner = catalog.build("backbones", "tiny-wav2vec2", {}).load(2)
    catalog.build("strategies", "adapter", {}).prepare(learner, SimpleNamespace(device=torch.device("cpu")))
    names = {
        name
        for name, parameter in learner.trainable()
        if "adapter" not in name.lower() and not name.startswith(learner.roles.head)
    }
    assert names
    assert all("norm" in name for name in names), sorted(names)


# What each strategy trains outside the head, at base size: published or derived figures, by architecture.
EVERYWHERE = ("bert", "roberta", "gpt2", "vit", "audio-spectrogram-transformer", "wav2vec2")
QUERY_VALUE = [role for role in EVERYWHERE if role != "gpt2"]
TABLE = [
    ("frozen", {"last_k": 2}, dict.fromkeys(EVERYWHERE, 14_175_744)),
    ("bitfit", {"freeze_feature_encoder": False}, {"wav2vec2": 104_704}),
    (
        "layernorm",
        {"freeze_feature_encoder": False},
        {**dict.fromkeys(EVERYWHERE, 38_400), "wav2vec2": 40_448, "resnet": 53_120},
    ),
    ("lora", {"variant": "rslora"}, dict.fromkeys(EVERYWHERE, 294_912)),
    ("lora", {"variant": "lora-fa"}, {**dict.fromkeys(QUERY_VALUE, 147_456), "gpt2": 221_184}),
    ("lora", {"variant": "dora"}, {**dict.fromkeys(QUERY_VALUE, 313_344), "gpt2": 322_560}),
    (
        "lora",
        {"targets": ("query", "key", "value", "attention_output", "ffn_in", "ffn_out")},
        {**dict.fromkeys(QUERY_VALUE, 1_327_104), "gpt2": 1_179_648},
    ),
    ("vera", {}, {**dict.fromkeys(QUERY_VALUE, 24_576), "gpt2": 30_720}),
    ("vera", {"rank": 1024}, dict.fromkeys(QUERY_VALUE, 43_008)),
    ("adalora", {}, {**dict.fromkeys(QUERY_VALUE, 442_656), "gpt2": 442_512}),
    ("ia3", {}, dict.fromkeys(EVERYWHERE, 55_296)),
    ("prompt", {"init": "uniform"}, dict.fromkeys(EVERYWHERE, 15_360)),
    ("prompt", {"init": "uniform", "depth": "deep", "length": 10}, dict.fromkeys(EVERYWHERE, 92_160)),
    ("prompt", {"init": "uniform", "depth": "deep", "length": 50}, dict.fromkeys(EVERYWHERE, 460_800)),
    ("prefix", {"projection": True}, dict.fromkeys(EVERYWHERE, 9_864_704)),
    ("prefix", {"length": 30}, dict.fromkeys(EVERYWHERE, 552_960)),
    ("adapter", {"train_layer_norm": False}, dict.fromkeys(EVERYWHERE, 2_379_264)),
    ("adapter", {"train_layer_norm": False, "bottleneck": 48}, dict.fromkeys(EVERYWHERE, 1_789_056)),
    ("adapter", {"kind": "pfeiffer", "bottleneck": 48}, dict.fromkeys(EVERYWHERE, 894_528)),
    (
        "adapter",
        {"train_layer_norm": False, "kind": "pfeiffer", "bottleneck": 64},
        dict.fromkeys(EVERYWHERE, 1_189_632),
    ),
    ("adapter", {"train_layer_norm": False, "kind": "pfeiffer", "bottleneck": 32}, {"wav2vec2": 599_424}),
    (
        "adapter",
        {"kind": "parallel", "bottleneck": 384},
        dict.fromkeys(EVERYWHERE, 7_091_712),
    ),
    ("frozen", {"layers": "mix"}, dict.fromkeys(EVERYWHERE, 13)),
]


@pytest.mark.parametrize(
    ("use", "options", "expected"), TABLE, ids=[f"{use}-{'-'.join(map(str, o.values()))}" for use, o, _ in TABLE]
)
def test_each_option_trains_as_many_parameters_as_its_formula_says(use, options, expected, catalog):
    for kind, count in expected.items():
        learner = base_size_learner(kind)
        catalog.build("strategies", use, options).prepare(learner, Countable())
        assert trained_outside_the_head(learner) == count, kind


def test_heads_are_as_large_as_their_formulas(catalog):
    """768K + K, 590,592 + 769K, 768K, 769K, 1,536 + 769K, 196,864 + 257K and 2,049K for K = 2 classes."""
    expected = {
        "bert": 1_538,
        "roberta": 592_130,
        "gpt2": 1_536,
        "vit": 1_538,
        "audio-spectrogram-transformer": 3_074,
        "wav2vec2": 197_378,
        "resnet": 4_098,
    }
    for kind, count in expected.items():
        assert sum(p.numel() for p in base_size_learner(kind).head_parameters()) == count, kind


def test_the_papers_whole_counts_come_out(catalog):
    """LoRA's 0.8 M on RoBERTa-base are 294,912 and the head; BitFit's 0.08 % and Houlsby's 2.1 % (about) are of
    BERT-large."""
    roberta = base_size_learner("roberta")
    catalog.build("strategies", "lora", {}).prepare(roberta, Countable())
    assert sum(p.numel() for _, p in roberta.trainable()) == 887_042
    large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    for use, options, count in (("bitfit", {}, 272_384), ("adapter", {"train_layer_norm": False}, 6_343_680)):
        learner = base_size_learner("bert", **large)
        whole = sum(p.numel() for p in learner.backbone_parameters())
        assert whole == 335_141_888
        catalog.build("strategies", use, options).prepare(learner, Countable())
        assert trained_outside_the_head(learner) == count
    assert 272_384 / whole == pytest.approx(0.000813, rel=1e-2)


def test_pefts_own_ways_of_counting_come_out_through_its_layers(catalog):
    """All linear maps include BERT's pooler and Wav2Vec2's feature projection; p-tuning's encoder is Pd + dh + h + h² +
    h + hd + d."""
    from peft import LoraConfig, PromptEncoderConfig

    from ftbench_plugins.strategies.modules.peft_injection import inject, inject_prompt

    expected = {**dict.fromkeys(EVERYWHERE, 1_327_104), "bert": 1_339_392, "gpt2": 1_179_648, "wav2vec2": 1_337_344}
    for kind, count in expected.items():
        learner = base_size_learner(kind)
        inject(learner, LoraConfig(r=8, target_modules="all-linear"))
        assert trained_outside_the_head(learner) == count, kind
    learner = base_size_learner("bert")
    inject_prompt(learner, PromptEncoderConfig(num_virtual_tokens=20, encoder_hidden_size=128))
    assert trained_outside_the_head(learner) == 229_376
