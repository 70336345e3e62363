"""What identifies a model directory, and what in it is not obeyed."""

import json
import os
import shutil

import pytest
import torch
from ftbench import UserError
from safetensors.torch import load_file, save_file

from ftbench_plugins.backbones.model_files import check_directory

INDEX = "model.safetensors.index.json"


@pytest.fixture
def model(tmp_path, model_folder):
    return shutil.copytree(model_folder("bert"), tmp_path / "model")


@pytest.fixture
def backbone(catalog, model):
    return lambda **options: catalog.build("backbones", "transformers", {"path": str(model), **options})


def changed(path, **entries):
    table = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**table, **entries}))


@pytest.mark.parametrize(
    "name",
    [
        "vocab.txt",
        "merges.txt",
        "spiece.model",
        "qwen.tiktoken",
        "chat_template.jinja",
        "additional_chat_templates/tool.jinja",
        "preprocessor_config.json",
        "generation_config.json",
        "added_tokens.json",
        "tokenizer.json",
        "config.json",
        INDEX,
    ],
)
def test_every_file_that_can_change_what_is_computed_identifies_a_model(name, model, backbone):
    (model / name).parent.mkdir(exist_ok=True)
    content = (model / name).read_text() if (model / name).exists() else '{"a": "b"}'
    (model / name).write_text(content)
    before = backbone().fingerprint()
    (model / name).write_text(content + " ")
    assert backbone().fingerprint() != before
    assert backbone(pretrained=False).fingerprint().items() < backbone().fingerprint().items()


@pytest.mark.parametrize(
    "name",
    ["README.md", "LICENSE", "LICENSE.txt", ".gitattributes", "picture.png", "training_args.bin", "code.py", "a.onnx"],
)
def test_documentation_and_what_is_not_read_does_not(name, model, backbone):
    before = backbone().fingerprint()
    (model / name).write_text("x")
    assert backbone().fingerprint() == before


def test_letters_of_a_vocabulary_change_the_id_of_a_trial(model, backbone):
    for path in model.glob("tokenizer*"):
        path.unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
    prints = []
    for order in (words, [*words[:5], *reversed(words[5:])]):
        (model / "vocab.txt").write_text("\n".join(order))
        prints.append(backbone().fingerprint())
    assert {*prints[0]} == {*prints[1]} >= {"vocab.txt"}
    assert prints[0] != prints[1]


def in_shards(model, names, folder=None):
    """Move the weights into a file and name it in an index, under each of the names."""
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    (model / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(weights, names)}))
    place = (folder or model) / names
    place.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, place, {"format": "pt"})


@pytest.mark.parametrize(
    "name",
    [
        "../other/w.safetensors",
        "sub/w.safetensors",
        "sub/pytorch_model.bin",
        "pytorch_model.bin",
        "/w.safetensors",
        ".safetensors",
        "",
    ],
)
def test_an_index_names_safetensors_files_next_to_it_and_nothing_else(name, model, backbone, tmp_path):
    in_shards(model, "model-00001-of-00001.safetensors")
    assert backbone().load(2).model is not None
    changed(model / INDEX, weight_map={"a": name})
    (model / os.path.basename(name or "x")).write_bytes(b"decoy")  # noqa: PTH119 - what was looked at before
    for act in (backbone().fingerprint, lambda: backbone().load(2), backbone().card):
        with pytest.raises(UserError, match=r"names '.*', which is not a safetensors file next to it"):
            act()


def test_a_pickle_is_refused_under_any_name(model, backbone):
    torch.save({"a": torch.zeros(1)}, model / "model.safetensors")
    with pytest.raises(UserError, match="not a safetensors file"):
        backbone().card()


def test_an_adapter_in_the_directory_is_refused(model, backbone):
    changed(model / "adapter_config.json", peft_type="LORA", r=4)
    shutil.copy(model / "model.safetensors", model / "adapter_model.safetensors")
    for act in (backbone().card, backbone().fingerprint, lambda: backbone().load(2)):
        with pytest.raises(UserError, match=r"adapter_config\.json: transformers would load this adapter"):
            act()


def test_a_configuration_chooses_neither_code_nor_other_files(model, backbone):
    plain = backbone().load(2).model
    kernels = {"attn_implementation": "kernels-community/flash", "experts_implementation": "x/y", "use_kernels": True}
    other = {"transformers_weights": "pytorch_model.bin", "auto_map": {"AutoModel": "code.M"}, "_name_or_path": "x/y"}
    changed(model / "config.json", **kernels, **other, _attn_implementation="kernels-community/flash")
    found = backbone().load(2).model
    assert found.config._attn_implementation == plain.config._attn_implementation
    assert found.name_or_path == str(model)
    assert all(torch.equal(a, b) for a, b in zip(found.bert.parameters(), plain.bert.parameters(), strict=True))
    changed(model / "config.json", quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True})
    with pytest.raises(UserError, match=r"config\.json: its weights are quantized"):
        backbone().card()


def test_a_tokenizer_names_no_file_elsewhere(model, backbone, tmp_path):
    (tmp_path / "vocab.txt").write_text("a")
    changed(model / "tokenizer_config.json", special_tokens_map_file="/root/.cache/is/not/there.json")
    backbone().card()
    changed(model / "tokenizer_config.json", vocab_file="../vocab.txt")
    with pytest.raises(UserError, match=r"tokenizer_config\.json: vocab_file is a file elsewhere, '\.\./vocab\.txt'"):
        backbone().card()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", {"model": 3}),
        ("tokenizer.json", {"model": {"vocab": 3}}),
        ("tokenizer.json", {"added_tokens": [3]}),
        ("config.json", {"model_type": "bert", "num_hidden_layers": "x"}),
        ("config.json", {"model_type": "bert", "hidden_size": [], "hidden_sizes": 3}),
        ("config.json", {"model_type": "bert", "hidden_size": "wide"}),
        ("tokenizer_config.json", [3]),
    ],
)
def test_a_malformed_file_is_one_line(name, content, model, backbone):
    (model / name).write_text(json.dumps(content))
    try:
        backbone().card()
        backbone().reads()
    except UserError as error:
        assert len(error.mistakes) == 1
        assert str(error).startswith(str(model))


def test_loading_is_offline_in_every_process(backbone, monkeypatch):
    import transformers
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    seen = []
    original = transformers.AutoTokenizer.from_pretrained

    def noted(*arguments, **options):
        seen.append((constants.HF_HUB_OFFLINE, os.environ["HF_HUB_OFFLINE"]))
        return original(*arguments, **options)

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", noted)
    backbone().load_processor()
    assert seen == [(True, "1")]
    assert (constants.HF_HUB_OFFLINE, os.environ["HF_HUB_OFFLINE"]) == (False, "0")


def test_files_of_a_tokenizer_may_be_links_as_in_the_cache_of_the_hub(model, tmp_path):
    blob = tmp_path / "blobs" / "0"
    blob.parent.mkdir()
    blob.write_text("[PAD]\n")
    (model / "linked.txt").symlink_to(blob)
    changed(model / "tokenizer_config.json", vocab_file="linked.txt")
    check_directory(model)
    changed(model / "tokenizer_config.json", vocab_file="../blobs/0")
    with pytest.raises(UserError, match="vocab_file is a file elsewhere"):
        check_directory(model)
