"""Predictions: what a trial will take, without weights, by a suite or by a model alone."""

import csv
import io
import json
import shutil

import pytest
from ftbench import UserError
from ftbench.suite.parser import read_suite
from ftbench.training.accounting.prediction import (
    Question,
    configurations_of_model,
    configurations_of_suite,
    device_memory_limit,
    predict_configuration,
    predict_configurations,
)

from tests.cli.test_cli import modules_after
from tests.support.small_data import TEXT_TASKS
from tests.support.tiny_models import KINDS, SPEECH, TEXT, VISION

GIB = 2**30


@pytest.fixture
def bert_large(tmp_path):
    """Return a directory that contains only the configuration of BERT-large."""
    config = {
        "model_type": "bert",
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    }
    (tmp_path / "bert-large").mkdir()
    (tmp_path / "bert-large" / "config.json").write_text(json.dumps(config))
    return tmp_path / "bert-large"


def predicted(catalog, model, strategy, *, task="text-classification", batch=32, options=None, **question):
    backbone, named = ("transformers", {"path": str(model)}) if options is None else (model, options)
    (cell,) = configurations_of_model(
        catalog, backbone, named, task, batch_size=batch, classes=2, strategies=[strategy]
    )
    return predict_configuration(cell, catalog, Question(**question))


def test_bert_large_takes_what_is_known_of_it(catalog, bert_large):
    """The figures were found by a tracker written apart, with torch 2.13 and transformers 5.23."""
    full = predicted(catalog, bert_large, "full", length=128, memory=24 * 10**9)
    lora = predicted(catalog, bert_large, "lora", length=128, memory=12 * 10**9)
    assert full.accounting.peak.total / 2**20 == pytest.approx(13_169, rel=1e-3)
    assert lora.accounting.peak.total / 2**20 == pytest.approx(8_304, rel=1e-3)
    assert full.accounting.trainable_parameters == 335_141_888 + 2 * 1024 + 2
    assert full.fits
    assert full.largest_batch > 32
    assert full.accounting.peak_at(full.largest_batch) <= 24 * 10**9 < full.accounting.peak_at(full.largest_batch + 1)


def test_a_card_is_read_by_its_size():
    assert device_memory_limit("24GB", None) == 24 * 10**9
    assert device_memory_limit("80GiB", None) == 80 * GIB
    assert device_memory_limit("40G", None) == 40 * 10**9
    assert device_memory_limit("1.5 GiB", None) == GIB * 3 // 2
    assert device_memory_limit(None, None) is None
    with pytest.raises(UserError, match="--gpu-memory: 'large' is not a size; give one such as 24GB"):
        device_memory_limit("large", None)
    with pytest.raises(UserError, match=r"--device: there is no 'cuda:7' on this machine, .* use --gpu-memory 24GB"):
        device_memory_limit(None, "cuda:7")


def test_what_fits_and_what_does_not(catalog, model_folder):
    found = predicted(catalog, model_folder("bert"), "full", length=16)
    assert (found.fits, found.largest_batch) == (None, None)
    peak = found.accounting.peak.total
    assert predicted(catalog, model_folder("bert"), "full", length=16, memory=peak).fits
    tight = predicted(catalog, model_folder("bert"), "full", length=16, memory=peak - 1)
    assert tight.fits is False
    assert tight.largest_batch == 31


def test_where_nothing_is_trained_no_batch_is_the_largest(catalog, model_folder):
    found = predicted(catalog, model_folder("bert"), "none", length=16, memory=GIB)
    assert (found.fits, found.largest_batch) == (True, None)
    assert (found.accounting.flops, found.accounting.trainable_parameters, found.accounting.stored_bytes) == (0, 0, 0)


def test_what_cannot_be_predicted_says_why_and_the_others_go_on(catalog):
    cells = configurations_of_model(
        catalog,
        "minilm",
        {},
        "text-classification",
        batch_size=2,
        classes=2,
        strategies=["adaptive_pretraining", "frozen"],
    )
    first, second = predict_configurations(cells, catalog, Question(length=8, memory=GIB))
    assert first.reason == "it trains a language model first, whose cost cannot be predicted"
    assert (first.accounting, first.fits, first.largest_batch) == (None, None, None)
    assert second.fits


@pytest.mark.parametrize("task", TEXT_TASKS)
def test_every_task_is_predicted_without_data_as_with_them(task, catalog, tmp_path, model_folder):
    write, options = TEXT_TASKS[task]
    lines = [f'data = "{write(tmp_path)}"', *(f"{name} = {json.dumps(value)}" for name, value in options.items())]
    suite = 'name = "s"\nseeds = [0, 1]\n[training]\nsteps = 4\nbatch_size = 4\n[[strategy]]\nuse = "full"\n'
    suite += (
        f'[[backbone]]\nuse = "transformers"\npath = "{model_folder("bert")}"\n[[task]]\nuse = "{task}"\n'
        + "\n".join(lines)
    )
    (tmp_path / "s.toml").write_text(suite)
    (cell,), unknown = configurations_of_suite(read_suite(tmp_path / "s.toml", catalog), catalog, "cpu")
    seen, outlined = (predict_configuration(cell, catalog, Question(length=length)) for length in (None, 40))
    assert unknown == ()
    assert (seen.batch_size, seen.reason) == (4, None)
    assert 5 <= seen.length < 40 == outlined.length
    assert seen.accounting.flops > 0
    # A real text is read in several windows.
    assert task == "question-answering" or seen.accounting.flops < outlined.accounting.flops


def test_a_suite_is_predicted_once_a_cell_and_without_the_weights(tmp_path, ftbench, model_folder):
    (tmp_path / "bare").mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / "bare" / name).write_text((model_folder("vit") / name).read_text())
    text = 'name = "s"\nseeds = [0, 1, 2]\n[training]\nsteps = 4\nbatch_size = 8\n[[task]]\nuse = "digits"\n'
    text += '[[backbone]]\nuse = "transformers"\npath = "bare"\n'
    text += "".join(f'[[strategy]]\nuse = "{name}"\n' for name in ("full", "lora"))
    (tmp_path / "s.toml").write_text(text)
    assert "no *.safetensors weights" in ftbench("plan", "s.toml", check=2).stderr
    done = ftbench("plan", "s.toml", "--predict", "--gpu-memory", "1GB", "--format", "csv", check=0)
    full, lora = csv.DictReader(io.StringIO(done.stdout))
    assert (full["strategy"], lora["strategy"]) == ("full", "lora")
    assert int(full["trainable_parameters"]) > int(lora["trainable_parameters"])
    assert (full["fits"], full["kernels"]) == ("True", "cuda")
    assert int(full["largest_batch"]) < int(lora["largest_batch"])


def test_which_strategies_fit_is_one_command(tmp_path, ftbench, model_folder):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "config.json").write_text((model_folder("t5") / "config.json").read_text())
    names = ("full", "ewc", "prefix", "distillation")
    chosen = [part for name in names for part in ("--strategy", name)]
    done = ftbench("plan", "--model", "net", "--batch", "4", "--length", "16", "--gpu-memory", "1GB", *chosen, check=0)
    for name in names:
        assert f"\n{name} " in done.stdout
    assert "prefix: t5 has no attention modules" in done.stdout
    assert "largest batch" in done.stdout
    assert "with CUDA kernels" in done.stdout


def test_a_model_in_the_hubs_cache_is_found_by_its_id_though_its_weights_are_not_there(
    hub_cache, ftbench, model_folder
):
    place = hub_cache / "models--owner--net" / "snapshots" / ("a" * 40)
    place.mkdir(parents=True)
    (place / "config.json").write_text((model_folder("roberta") / "config.json").read_text())
    done = ftbench("plan", "--model", "owner/net", "--strategy", "lora", "--length", "16", "--format", "json", check=0)
    assert json.loads(done.stdout)["trainable_parameters"] == 2048 + 1122
    lost = ftbench("plan", "--model", "owner/other", "--strategy", "lora")
    assert lost.returncode == 2
    assert "'owner/other' is not in the hub cache" in lost.stderr


KINDS_OF_TASKS = {
    "text-classification": (TEXT, 2),
    "multi-label-text-classification": (TEXT, 2),
    "text-regression": (TEXT, 1),
    "token-classification": (set(TEXT) - {"t5", "bart"}, 2),
    "question-answering": (set(TEXT) - {"t5", "llama"}, 2),
    "multiple-choice": (("bert", "roberta", "distilbert", "modernbert"), 1),
    "image-classification": (VISION, 2),
    "audio-classification": (SPEECH, 2),
    "speech-recognition": (("wav2vec2", "hubert"), 29),
}
"""Task → architectures that support it, and its number of outputs without data: for transcripts a blank and English."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture_is_predicted_from_its_directory_on_all_it_can_serve(kind, catalog, tmp_path, model_folder):
    shutil.copy(model_folder(kind) / "config.json", tmp_path)
    backbone = "transformers", {"path": str(tmp_path)}
    for task, (served, outputs) in KINDS_OF_TASKS.items():
        if kind not in served:
            with pytest.raises(
                UserError, match=rf"^--task: '{task}' is not for {kind}, which (reads|has no head) .*; it supports \w"
            ) as caught:
                configurations_of_model(catalog, *backbone, task, batch_size=2, strategies=["frozen"])
            named = str(caught.value).rpartition("supports ")[2].split(", ")
            assert set(named) == {other for other, (able, _) in KINDS_OF_TASKS.items() if kind in able}
            continue
        (cell,) = configurations_of_model(catalog, *backbone, task, batch_size=2, strategies=["frozen"])
        found = predict_configuration(cell, catalog, Question(length=16 if kind in TEXT else None))
        assert found.reason is None, (task, found.reason)
        assert found.accounting.peak.total > found.accounting.stored_bytes > 0, task
        learner = catalog.build("backbones", *backbone).outline(outputs, catalog.find("tasks", task).answer)
        assert found.accounting.trainable_parameters == sum(
            parameter.numel() for parameter in learner.head_parameters()
        ), task


def test_classes_are_characters_where_the_answer_is_a_transcript(catalog):
    found = {}
    for classes in (None, 28, 40):
        (cell,) = configurations_of_model(
            catalog, "tiny-wav2vec2", {}, "speech-recognition", batch_size=2, classes=classes, strategies=["frozen"]
        )
        found[classes] = predict_configuration(cell, catalog, Question()).accounting.trainable_parameters
    width = catalog.build("backbones", "tiny-wav2vec2", {}).outline(2, "transcript").model.config.hidden_size
    assert found[None] == found[28] == (width + 1) * 29
    assert found[40] == (width + 1) * 41


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a SUITE, or a model with --model"),
        (("s.toml", "--model", "minilm"), "give a SUITE, or a model with --model"),
        (("s.toml", "--gpu-memory", "24GB"), "--gpu-memory goes with --predict"),
        (("--model", "minilm", "--strategy", "lroa"), "did you mean 'lora'?"),
        (("--model", "minilm", "--task", "text-classifcation"), "did you mean 'text-classification'?"),
        (
            ("--model", "minilm", "--length", "1000", "--strategy", "full"),
            "length: bert reads 512 tokens at most, not 1000",
        ),
        (
            ("--model", "tiny-vit", "--task", "image-classification", "--length", "99", "--strategy", "full"),
            "reads images of 28 pixels",
        ),
        (
            ("--model", "tiny-vit", "--task", "speech-recognition"),
            "'speech-recognition' is not for vit, which reads vision; it supports image-",
        ),
        (("--model", "minilm", "--task", "speech-recognition"), "is not for bert, which reads text"),
        (("--model", "nowhere", "--strategy", "full"), "'nowhere' is not in the hub cache"),
    ],
)
def test_a_mistake_ends_in_one_line(arguments, said, ftbench):
    done = ftbench("plan", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_plan_without_predictions_imports_no_torch(tmp_path, tiny_suite):
    done = modules_after("plan", tiny_suite(), cwd=tmp_path)
    assert "heavy []" in done.stdout
