"""Parameter counts: the published and hand-derived figures, head and backbone apart."""

import pytest
import torch
from ftbench import Learner

from ftbench_backbones.architectures import ARCHITECTURES
from ftbench_backbones.loading import make_card
from tests.tiny_models import build

# Hidden 32, two layers, four heads, feed-forward 64, two labels: the head, and what each strategy adds or opens.
TINY = {
    "bert": {"total": 23_586, "head": 66, "bitfit": 640, "layernorm": 320, "lora": 2048, "prefix": 2560},
    "vit": {"total": 23_970, "head": 66, "bitfit": 640, "layernorm": 320, "lora": 2048, "prefix": 2560},
    "audio-spectrogram-transformer": {"total": 20_002, "head": 130, "bitfit": 640, "layernorm": 320, "lora": 2048, "prefix": 2560},
    "wav2vec2": {"total": 30_818, "head": 562, "bitfit": 704, "layernorm": 384, "lora": 2048, "prefix": 2560},
    "gpt2": {"total": 30_784, "head": 64, "bitfit": 736, "layernorm": 320, "lora": 2048, "prefix": 2560},
    "roberta": {"total": 23_618, "head": 1122, "bitfit": 608, "layernorm": 320, "lora": 2048, "prefix": 2560},
    "resnet": {"total": 6_090, "head": 34, "bitfit": 72, "layernorm": 144},
}


def learner_of(kind, model):
    card = make_card({"model_type": kind}, licence="", source="", full_lr=1e-3)
    return Learner(model, ARCHITECTURES[kind].resolve(model), None, card)


class _Bench:
    device = torch.device("cpu")


def opened(catalog, kind, model, use, /, **options):
    learner = learner_of(kind, model)
    catalog.build("strategies", use, options).prepare(learner, _Bench())
    head = {id(p) for p in learner.head_parameters()}
    return sum(p.numel() for _, p in learner.trainable() if id(p) not in head), sum(p.numel() for p in learner.head_parameters())


@pytest.mark.parametrize("kind", ["bert", "vit", "roberta", "gpt2", "wav2vec2"])
def test_tiny_counts_are_the_hand_derived_ones(kind, catalog):
    expected = TINY[kind]
    for use in ("lora", "prefix"):
        assert opened(catalog, kind, build(kind), use)[0] == expected[use], use
    assert opened(catalog, kind, build(kind), "frozen") == (0, opened(catalog, kind, build(kind), "lora")[1])
    # Two adapters a layer, 2dm + m + d each, and a layer norm's 2d everywhere.
    norms = sum(p.numel() for m in build(kind).modules() if isinstance(m, torch.nn.LayerNorm) for p in m.parameters())
    assert opened(catalog, kind, build(kind), "adapter", bottleneck=8)[0] == 4 * (2 * 32 * 8 + 8 + 32) + norms
    assert opened(catalog, kind, build(kind), "adapter", bottleneck=8, kind="pfeiffer", train_layer_norm=False)[0] == 2 * (
        2 * 32 * 8 + 8 + 32
    )


@pytest.mark.parametrize("kind", ["bert", "vit", "roberta", "gpt2", "wav2vec2"])
def test_a_parallel_adapter_a_layer_counts_2dm_m_d(kind, catalog):
    found = opened(catalog, kind, build(kind), "adapter", kind="parallel", bottleneck=16, train_layer_norm=False)
    assert found[0] == 2 * (2 * 32 * 16 + 16 + 32)


def test_a_subset_of_the_biases_is_that_of_the_projections_named(catalog):
    assert opened(catalog, "bert", build("bert"), "bitfit", which=("query",))[0] == 2 * 32
    assert opened(catalog, "bert", build("bert"), "bitfit", which=("query", "ffn_in"))[0] == 2 * (32 + 64)


BASE = {
    "bert": {"backbone": 109_482_240, "bitfit": 102_912, "lora": 294_912, "prefix": 368_640, "adapter": 2_379_264 + 38_400},
    "vit": {"backbone": 85_798_656, "bitfit": 102_912, "lora": 294_912, "prefix": 368_640, "adapter": 2_379_264 + 38_400},
    "wav2vec2": {"backbone": 94_371_712, "bitfit": 104_704 - 512, "lora": 294_912, "prefix": 368_640, "adapter": 2_379_264 + 39_424},
    "gpt2": {"backbone": 124_439_808, "bitfit": 102_144, "lora": 294_912, "prefix": 368_640, "adapter": 2_379_264 + 38_400},
    "roberta": {"backbone": 124_055_040, "bitfit": 102_144, "lora": 294_912, "prefix": 368_640, "adapter": 2_379_264 + 38_400},
    "audio-spectrogram-transformer": {"backbone": 86_187_264, "bitfit": 102_912, "lora": 294_912, "prefix": 368_640, "adapter": 2_379_264 + 38_400},
    "resnet": {"backbone": 23_508_032, "bitfit": 26_560},
}  # fmt: skip


def base_size(kind):
    import transformers as t

    makers = {
        "bert": t.BertConfig(),
        "roberta": t.RobertaConfig(vocab_size=50_265, max_position_embeddings=514, type_vocab_size=1),
        "gpt2": t.GPT2Config(),
        "vit": t.ViTConfig(),
        "wav2vec2": t.Wav2Vec2Config(),
        "audio-spectrogram-transformer": t.ASTConfig(),
        "resnet": t.ResNetConfig(),
    }
    made = makers[kind]
    made.num_labels = 2
    return made


@pytest.mark.parametrize("kind", BASE)
@pytest.mark.parametrize("use", ["bitfit", "lora", "prefix", "adapter", "frozen", "full"])
def test_base_size_counts_are_the_published_ones(kind, use, catalog):
    import transformers as t

    text, vision = ("bert", "roberta", "gpt2"), ("vit", "resnet")
    auto = (
        t.AutoModelForSequenceClassification
        if kind in text
        else t.AutoModelForImageClassification
        if kind in vision
        else t.AutoModelForAudioClassification
    )
    with torch.device("meta"):
        model = auto.from_config(base_size(kind))
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
        inside = {id(p) for p in learner.head_parameters()}
        assert sum(p.numel() for _, p in learner.trainable() if id(p) not in inside) == BASE[kind][use]


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
