"""Models that are not what they should be: one line each, with the place and what to do, from the real command line."""

import json
import shutil

import pytest
from ftbench import UserError

SUITE = """
name = "s"
seeds = [0]
profile = "smoke"
[training]
steps = 1
[machine]
threads = 1
[[backbone]]
use = "transformers"
path = "model"
[[task]]
use = "{task}"
train_size = 20
test_size = 20
validation_size = 0
[[strategy]]
use = "full"
"""


def no_config(folder):
    (folder / "config.json").unlink()


def corrupt_config(folder):
    (folder / "config.json").write_text((folder / "config.json").read_text()[:-20])


def config_of_another_kind(folder):
    (folder / "config.json").write_text('["bert"]')


def unknown_kind(folder):
    (folder / "config.json").write_text('{"model_type": "mystery"}')


def own_code(folder):
    (folder / "config.json").write_text('{"model_type": "mystery", "auto_map": {"AutoModel": "code.Model"}}')


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def a_pickle(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def truncated_weights(folder):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def weights_that_are_text(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")


def a_part_is_missing(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def a_broken_index(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text("[]")


def no_tokenizer(folder):
    for path in folder.glob("*token*"):
        path.unlink()


def a_revision_of_a_directory(folder):
    suite = folder.parent / "s.toml"
    suite.write_text(suite.read_text().replace('path = "model"', 'path = "model"\nrevision = "v1"'))


BROKEN = {
    no_config: "model/config.json: no such file; a model directory written by save_pretrained is needed",
    corrupt_config: "model/config.json: not a model configuration: ",
    config_of_another_kind: "model/config.json: not a model configuration: ",
    unknown_kind: "model/config.json: model_type 'mystery' is not known to this plugin; known: ",
    own_code: "model_type 'mystery' needs code of its own (auto_map), and no code that comes with a model is ever run",
    no_weights: "model: no *.safetensors weights, which are called model.safetensors",
    a_pickle: "pytorch_model.bin is a pickle, which can run code: convert it to safetensors",
    truncated_weights: "model/model.safetensors: not a safetensors file, or not all of one: ",
    weights_that_are_text: "model/model.safetensors: not a safetensors file, or not all of one: ",
    a_part_is_missing: "model: model.safetensors.index.json names model-00002-of-00002.safetensors, which is not there",
    a_broken_index: "model/model.safetensors.index.json: not an index of weights: ",
    no_tokenizer: "model: no tokenizer (tokenizer.json, vocab.txt, vocab.json, …): write it there with its save_pretrained",
    a_revision_of_a_directory: "revision: goes with an id on the hub, and 'model' is a directory",
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN.items(), ids=lambda case: getattr(case, "__name__", ""))
def test_a_broken_model_is_one_line_before_anything_runs(spoil, message, ftbench, tmp_path, model_folder):
    shutil.copytree(model_folder("bert"), tmp_path / "model")
    (tmp_path / "s.toml").write_text(SUITE.format(task="word-sentiment"))
    spoil(tmp_path / "model")
    done = ftbench("validate", "s.toml")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: s.toml: backbone[1]: ")
    assert message in line
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["plan", "run"])
def test_every_command_that_plans_refuses_it(command, ftbench, tmp_path, model_folder):
    shutil.copytree(model_folder("bert"), tmp_path / "model")
    (tmp_path / "s.toml").write_text(SUITE.format(task="word-sentiment"))
    truncated_weights(tmp_path / "model")
    done = ftbench(command, "s.toml")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert not (tmp_path / "runs").exists()


def test_a_model_of_another_modality_meets_no_task(ftbench, tmp_path, model_folder):
    shutil.copytree(model_folder("bert"), tmp_path / "model")
    (tmp_path / "s.toml").write_text(SUITE.format(task="digits"))
    done = ftbench("validate", "s.toml")
    assert done.returncode == 2
    assert "error: s.toml: task[1]: no [[backbone]] of this suite is for vision" in done.stderr


def test_weights_of_another_model_are_refused_rather_than_begun_at_random(catalog, tmp_path, model_folder):
    shutil.copytree(model_folder("bert"), tmp_path / "model")
    backbone = catalog.build("backbones", "transformers", {"path": str(tmp_path / "model")})
    shutil.copy(model_folder("vit") / "model.safetensors", tmp_path / "model")
    with pytest.raises(
        UserError, match=r"model: its weights are not those of its config\.json: \d+ of \d+ tensors are not there"
    ):
        backbone.load(2)
    shutil.copy(model_folder("bert") / "model.safetensors", tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    with pytest.raises(UserError, match=r"its weights are not those of its config\.json"):
        backbone.load(2)


def test_code_that_comes_with_a_model_is_not_run_even_where_its_kind_is_known(catalog, tmp_path, model_folder):
    shutil.copytree(model_folder("bert"), tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "code.Config", "AutoModelForSequenceClassification": "code.Model"}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    (tmp_path / "model" / "code.py").write_text("raise SystemExit('code was run')\n")
    learner = catalog.build("backbones", "transformers", {"path": str(tmp_path / "model")}).load(2)
    assert type(learner.model).__name__ == "BertForSequenceClassification"
