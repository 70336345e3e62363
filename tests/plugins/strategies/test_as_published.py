"""Each method trains what its paper trains, on every architecture that has something of its own there."""

import pytest
import torch
from ftbench import NotApplicable
from torch import nn

from ftbench_plugins.strategies.full import train_everything
from ftbench_plugins.strategies.modules.depth import by_depth
from tests.support.base_size import Countable, base_size_learner, learner_of, trained_outside_the_head
from tests.support.tiny_models import KINDS, SPEECH, TEXT, VISION, config

SPECIAL = {
    "hubert-stable": ("hubert", {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}),
    "wav2vec2-stable": ("wav2vec2", {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}),
    "t5-gated": ("t5", {"feed_forward_proj": "gated-gelu", "is_gated_act": True, "dense_act_fn": "gelu_new"}),
    "llama-biased": ("llama", {"attention_bias": True}),
    "modernbert-biased": ("modernbert", {"attention_bias": True, "norm_bias": True}),
}
"""Configurations that change what a network is made of."""
EVERY = {**{kind: (kind, {}) for kind in KINDS}, **SPECIAL}


def learner_for(name):
    import transformers as t

    kind, changes = EVERY[name]
    auto = {
        TEXT: t.AutoModelForSequenceClassification,
        VISION: t.AutoModelForImageClassification,
        SPEECH: t.AutoModelForAudioClassification,
    }
    made = config(kind)
    changed = type(made)(**{**made.to_dict(), **changes})
    changed.num_labels = 2
    if kind == "deit":
        changed.architectures = ["DeiTForImageClassification"]
    torch.manual_seed(0)
    model = next(cls for kinds, cls in auto.items() if kind in kinds).from_config(changed).eval()
    return learner_of(kind, model, changed.to_dict())


def inputs_for(kind):
    if kind in TEXT:
        return {"input_ids": torch.tensor([[2, 7, 8, 9, 3]]), "attention_mask": torch.ones(1, 5, dtype=torch.long)}
    if kind in VISION:
        return {"pixel_values": torch.rand(1, 3, 32, 32)}
    shapes = {
        "whisper": ("input_features", (1, 16, 100)),
        "audio-spectrogram-transformer": ("input_values", (1, 64, 16)),
    }
    name, shape = shapes.get(kind, ("input_values", (1, 4000)))
    return {name: torch.rand(*shape)}


@pytest.mark.parametrize("name", EVERY)
def test_depth_is_the_order_in_which_modules_run(name):
    """Record which module runs when: what is outside the blocks lies between the block before and the block after it."""
    learner = learner_for(name)
    train_everything(learner, freeze_feature_encoder=False)
    order, ran = [], {}

    def note(module, arguments):
        order.append(id(module))
        for parameter in module.parameters(recurse=False):  # tied weights count where they run first
            ran.setdefault(id(parameter), len(order))

    for module in learner.model.modules():
        module.register_forward_pre_hook(note)
    with torch.no_grad():
        learner.model(**inputs_for(EVERY[name][0]))
    blocks = [id(block) for block in learner.blocks()]
    assert [one for one in order if one in blocks] == blocks
    depth = {id(p): place for place, group in enumerate(by_depth(learner)) for p in group}
    inner = {id(p): n + 1 for n, block in enumerate(learner.blocks()) for p in block.parameters()}
    head = {id(p) for p in learner.head_parameters()}
    for where, module in learner.model.named_modules():
        for parameter in module.parameters(recurse=False):
            if id(parameter) in inner:
                assert depth[id(parameter)] == inner[id(parameter)], where
            elif id(parameter) not in head and id(parameter) in ran and parameter.requires_grad:
                done = sum(block in order[: ran[id(parameter)]] for block in blocks)
                assert depth[id(parameter)] in (done, min(done + 1, len(blocks)) if done else 0), where


def test_layerwise_rates_of_what_is_between_stages_are_those_of_its_neighbours(catalog):
    for name, where, scale in (
        ("swin", "swin.encoder.layers.0.downsample.norm.weight", 0.5**3),
        ("bart", "model.decoder.layernorm_embedding.weight", 0.5**2),
        ("bart", "model.encoder.layernorm_embedding.weight", 0.5**5),
        ("t5", "transformer.encoder.final_layer_norm.weight", 0.5**3),
        ("hubert-stable", "hubert.encoder.layer_norm.weight", 0.5),
        ("hubert", "hubert.encoder.layer_norm.weight", 0.5**3),
    ):
        learner = learner_for(name)
        strategy = catalog.build("strategies", "layerwise", {"decay": 0.5})
        strategy.prepare(learner, Countable())
        scales = {id(p): group["lr_scale"] for group in strategy.param_groups(learner) for p in group["params"]}
        assert scales[id(learner.model.get_parameter(where))] == scale, where


@pytest.mark.parametrize("kind", ["houlsby", "pfeiffer", "parallel"])
def test_adapters_train_norms_where_their_papers_do_and_never_those_of_a_frozen_front_end(kind, catalog):
    for name in ("bert", "t5-gated", "hubert-stable", "wav2vec2-stable"):
        learner = learner_for(name)
        catalog.build("strategies", "adapter", {"kind": kind, "bottleneck": 4}).prepare(learner, Countable())
        head = tuple(f"{module}." for module in learner.roles.head)
        norms = [n for n, _ in learner.trainable() if not n.startswith(("ftbench_adapters", *head))]
        assert bool(norms) == (kind == "houlsby"), norms
        assert not [n for n in norms if "feature_extractor" in n]


def test_pfeiffers_published_count_is_the_default(catalog):
    """L(2dm + m + d) for BERT-base with m = 48 (AdapterHub)."""
    learner = base_size_learner("bert")
    catalog.build("strategies", "adapter", {"kind": "pfeiffer", "bottleneck": 48}).prepare(learner, Countable())
    assert trained_outside_the_head(learner) == 894_528


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("which", ["all", "query", "key", "value", "attention_output", "ffn_in", "ffn_out"])
def test_bitfit_trains_some_bias_or_refuses_before_anything_is_loaded(name, which, catalog):
    learner = learner_for(name)
    strategy = catalog.build("strategies", "bitfit", {"which": (which,)})
    try:
        strategy.check(learner.card)
    except NotApplicable:
        found = [m for m in learner.modules(which) if getattr(m, "bias", None) is not None]
        names = [n for n, _ in learner.model.named_parameters() if n.endswith("bias")]
        head = tuple(f"{module}." for module in learner.roles.head)
        assert not found if which != "all" else not [n for n in names if not n.startswith(head)]
        return
    strategy.prepare(learner, Countable())
    assert trained_outside_the_head(learner) > 0


def test_configurations_with_biases_are_served(catalog):
    for name, count in (("llama-biased", 2 * (32 + 16 + 16 + 32)), ("llama", None)):
        learner = learner_for(name)
        strategy = catalog.build("strategies", "bitfit", {})
        if count is None:
            with pytest.raises(NotApplicable, match="llama has no biases"):
                strategy.check(learner.card)
            continue
        strategy.check(learner.card)
        strategy.prepare(learner, Countable())
        assert trained_outside_the_head(learner) == count


def test_ia3_leaves_queries_alone_where_one_matrix_projects_all_three(catalog):
    for name in ("gpt2", "modernbert"):
        learner = learner_for(name)
        fused = learner.names("query")
        strategy = catalog.build("strategies", "ia3", {})
        strategy.prepare(learner, Countable())
        inputs = inputs_for(name)
        with torch.no_grad():
            before = learner.model(**inputs).logits
        optimizer = torch.optim.AdamW(strategy.param_groups(learner), lr=0.1, weight_decay=0.1)
        learner.model(**inputs).logits.square().sum().backward()
        optimizer.step()
        layers = [learner.model.get_submodule(module) for module in fused]
        for layer in layers:
            scales = layer.ia3_l["default"].detach().flatten()
            assert torch.equal(scales[:32], torch.ones(32))
            assert (scales[32:] != 1).all()
        with torch.no_grad():
            tuned = learner.model(**inputs).logits
            strategy.finish(learner)
            merged = learner.model(**inputs).logits
        assert not torch.equal(tuned, before)
        assert torch.allclose(tuned, merged, atol=1e-5)
        assert all(isinstance(learner.model.get_submodule(module), nn.Module) for module in fused)
        assert not [n for n, _ in learner.model.named_parameters() if "ia3" in n]


def test_whispers_sinusoids_stay_in_full_fine_tuning(catalog):
    for use in ("full", "layerwise", "gradual", "lpft", "l2sp", "distillation"):
        learner = learner_for("whisper")
        strategy = catalog.build("strategies", use, {})
        strategy.prepare(learner, Countable())
        if use in ("layerwise", "gradual", "lpft"):
            strategy.param_groups(learner)
        assert not learner.model.encoder.embed_positions.weight.requires_grad, use
        assert learner.model.encoder.conv1.weight.requires_grad, use


@pytest.mark.parametrize(
    ("use", "options"),
    [("lora", {"targets": ("ffn_in",)}), ("ia3", {}), ("adapter", {"kind": "parallel"}), ("full", {}), ("vera", {})],
)
def test_a_gated_t5_is_adapted_like_any_other(use, options, catalog):
    learner = learner_for("t5-gated")
    assert [name.rpartition(".")[2] for name in learner.names("ffn_in")] == ["wi_0", "wi_1"] * 4
    strategy = catalog.build("strategies", use, options)
    strategy.check(learner.card)
    strategy.prepare(learner, Countable())
    learner.model(**inputs_for("t5")).logits.square().sum().backward()
    if use == "lora":
        assert trained_outside_the_head(learner) == 4 * 2 * 8 * (32 + 64)
    learner.eval()
    strategy.finish(learner)


def test_the_shipped_weights_train_as_a_plain_script_loads_them(catalog):
    import transformers as t

    for name, auto in (
        ("tiny-vit", t.AutoModelForImageClassification),
        ("tiny-wav2vec2", t.AutoModelForAudioClassification),
    ):
        folder = catalog.build("backbones", name, {}).folder()
        plain = auto.from_pretrained(folder, num_labels=10, ignore_mismatched_sizes=True)
        assert {p.dtype for p in plain.parameters()} == {torch.float32}
        ours = dict(catalog.build("backbones", name, {}).load(10).model.named_parameters())
        head = tuple(f"{module}." for module in catalog.build("backbones", name, {}).load(10).roles.head)
        assert all(torch.equal(p, ours[n]) for n, p in plain.named_parameters() if not n.startswith(head))
