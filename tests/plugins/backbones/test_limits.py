"""The limits of a network are compared with its tokenizer, its weights and the data before the first trial."""

import json
import shutil

import pytest
from ftbench import UserError
from safetensors.numpy import load_file, save_file


@pytest.fixture
def changed(catalog, model_folder, tmp_path):
    """Copy a tiny model, change its files, and return the backbone."""

    def change(kind, weights=None, **files):
        folder = tmp_path / kind
        if not folder.exists():
            shutil.copytree(model_folder(kind), folder)
        for name, edit in files.items():
            path = folder / f"{name}.json"
            table = json.loads(path.read_text()) if path.exists() else {}
            edit(table)
            path.write_text(json.dumps(table))
        if weights is not None:
            stored = {name: array for name, array in load_file(folder / "model.safetensors").items() if weights(name)}
            save_file(stored, folder / "model.safetensors", {"format": "pt"})
        return catalog.build("backbones", "transformers", {"path": str(folder)})

    return change


@pytest.mark.parametrize("kind", ["bert", "gpt2", "roberta", "distilbert", "t5"])
def test_a_model_as_it_was_saved_is_accepted(changed, kind):
    assert changed(kind).card().architecture == kind


def test_a_tokenizer_id_beyond_the_embedding_is_refused_with_both_numbers(changed):
    def add(table):
        table["added_tokens"].append({**table["added_tokens"][0], "id": 5_000, "content": "<new>"})

    rows = json.loads((changed("bert")._folder() / "config.json").read_text())["vocab_size"]
    with pytest.raises(UserError, match=rf"ids up to 5,000, and the embedding has {rows:,} rows"):
        changed("bert", tokenizer=add).card()


def test_a_tokenizer_that_cannot_pad_is_refused(changed):
    def strip(table):
        for name in ("pad_token", "eos_token", "bos_token", "sep_token", "cls_token"):
            table.pop(name, None)
        table["tokenizer_class"] = "TokenizersBackend"

    backbone = changed("gpt2", tokenizer_config=strip, special_tokens_map=strip)
    with pytest.raises(UserError, match="neither a padding nor an end token"):
        backbone.card()


def test_texts_are_cut_at_the_positions_of_the_network(changed, tmp_path, catalog):
    backbone = changed("bert", tokenizer_config=lambda table: table.update(model_max_length=10**30))
    positions = backbone.card().positions
    processor = backbone.load_processor()
    assert processor.model_max_length == positions
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{'a b ' * positions}{n},{n % 2}\n" for n in range(20)))
    task = catalog.build(
        "tasks", "text-classification", {"data": str(tmp_path / "a.csv"), "max_length": 10 * positions}
    )
    encoded = task.encode(task.splits(0).train, processor)
    assert max(encoded.units) == positions


@pytest.mark.parametrize("kind", ["bert", "gpt2", "vit", "wav2vec2"])
def test_missing_layers_are_refused_and_named(changed, kind):
    backbone = changed(kind)
    depth = backbone.card().blocks

    def deeper(table):
        table["n_layer" if kind == "gpt2" else "num_hidden_layers"] = depth + 1

    with pytest.raises(
        UserError, match=rf"has {depth + 1} layers, and the weights have {depth}: .*\.{depth} would be random"
    ):
        changed(kind, config=deeper).card()


def test_a_missing_tensor_of_a_layer_is_refused_when_it_is_loaded_and_a_missing_pooler_is_not(changed):
    changed("bert", weights=lambda name: "pooler" not in name).load(2)
    backbone = changed("bert", weights=lambda name: "layer.1.output.dense.weight" not in name)
    with pytest.raises(UserError, match=r"tensors are not there, such as .*layer\.1\.output\.dense\.weight"):
        backbone.load(2)
