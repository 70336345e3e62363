"""An exported model is an ordinary one: it is read back without ftbench and answers the same."""

import gzip
import json
import re
import shutil

import numpy as np
import pytest
import torch
from ftbench import UserError
from ftbench.training.export import export
from safetensors import safe_open

from tests.support.in_process import run_in

KINDS = {
    "bert": "text",
    "roberta": "text",
    "distilbert": "text",
    "modernbert": "text",
    "gpt2": "text",
    "llama": "text",
    "t5": "text",
    "bart": "text",
    "vit": "vision",
    "deit": "vision",
    "swin": "vision",
    "resnet": "vision",
    "convnext": "vision",
    "efficientnet": "vision",
    "wav2vec2": "speech",
    "hubert": "speech",
    "whisper": "speech",
    "audio-spectrogram-transformer": "speech",
}
TASKS = {"text": "word-sentiment", "vision": "digits", "speech": "spoken-commands"}
AUTO = {"text": "SequenceClassification", "vision": "ImageClassification", "speech": "AudioClassification"}


HEAD = """
name = "exported"
seeds = [0]
profile = "smoke"
[training]
steps = 4
batch_size = 8
lr = 1e-3
[machine]
threads = 1
[measure]
meters = ["parameters"]
"""
ADAPTERS = {
    "lora": 'use = "lora"',
    "rslora": 'use = "lora"\nvariant = "rslora"',
    "dora": 'use = "lora"\nvariant = "dora"',
    "lora-fa": 'use = "lora"\nvariant = "lora-fa"',
    "lora-plus": 'use = "lora"\nvariant = "lora+"',
    "vera": 'use = "vera"',
    "adalora": 'use = "adalora"',
    "ia3": 'use = "ia3"',
    "loha": 'use = "peft"\nmethod = "loha"\narguments = { r = 4 }',
    "norms-by-peft": 'use = "peft"\nmethod = "ln_tuning"',
    "p-tuning": 'use = "peft"\nmethod = "p_tuning"\narguments = { num_virtual_tokens = 4 }',
    "prefix-by-peft": 'use = "peft"\nmethod = "prefix_tuning"\narguments = { num_virtual_tokens = 4 }',
}
"""Strategies with an adapter in peft's format."""
WHOLE = {
    **{use: f'use = "{use}"' for use in ("none", "full", "frozen", "gradual", "layerwise", "lpft", "l2sp", "bitfit")},
    **{use: f'use = "{use}"' for use in ("layernorm", "distillation", "adapter", "prefix", "prompt")},
    "second-block": 'use = "frozen"\nlayers = 1',
    "mixed-layers": 'use = "frozen"\nlayers = "mix"',
    "pretrained": 'use = "adaptive_pretraining"\nepochs = 1\nthen = "lora"',
    "both": 'use = "combine"\nparts = ["lora", "bitfit"]',
}
"""Strategies without one."""
NOT_PLAIN = {
    "adapter": "adapters",
    "prefix": "prefixes",
    "prompt": "prompts",
    "mixed-layers": "layer mix",
    "p-tuning": "peft prompt",
    "prefix-by-peft": "peft prompt",
}
"""What keeps a model from being one of transformers."""
STRATEGIES = {**ADAPTERS, **WHOLE}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, model_folder):
    """Run one suite, LoRA on every kind of model and every strategy on BERT; return a lookup of records by both."""
    folder = tmp_path_factory.mktemp("exported")
    text = HEAD
    for kind in KINDS:
        labels = list(STRATEGIES) if kind == "bert" else ["lora"]
        text += f'[[backbone]]\nuse = "transformers"\nlabel = "{kind}"\n'
        text += f'path = "{model_folder(kind)}"\nstrategies = {labels}\n'
    for task in TASKS.values():
        text += f'[[task]]\nuse = "{task}"\ntrain_size = 40\nvalidation_size = 0\ntest_size = 20\n'
    text += "".join(f'[[strategy]]\nlabel = "{label}"\n{strategy}\n' for label, strategy in STRATEGIES.items())
    (folder / "s.toml").write_text(text)
    run_in(folder, "run", "s.toml", "--no-report", check=0)
    found = {}
    for path in folder.glob("runs/exported/trials/*/*/record.json"):
        trial = json.loads(path.read_text())["trial"]
        found[trial["backbone"]["label"], trial["strategy"]["label"]] = path
    return found


def recorded(path):
    """Return the probabilities of a record."""
    with gzip.open(path.parent / "predictions.jsonl.gz", "rt") as stream:
        return np.array([json.loads(line)["probabilities"] for line in stream])


def exported(path, folder, catalog, **options):
    """Export the trial of a record."""
    return export(path.parents[3], path.parts[-3], folder, catalog, **{"adapter": False, **options})


def inputs_of(catalog, kind, folder):
    """Encode the test split with the exported processor."""
    import transformers as t

    task = catalog.build("tasks", TASKS[KINDS[kind]], {"train_size": 40, "validation_size": 0, "test_size": 20})
    auto = {"text": t.AutoTokenizer, "vision": t.AutoImageProcessor, "speech": t.AutoFeatureExtractor}[KINDS[kind]]
    encoded = task.encode(task.splits(0).test, auto.from_pretrained(folder))
    batch = task.collate(encoded, range(len(encoded)))
    batch.pop("labels")
    return batch


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_every_kind_is_read_back_by_transformers_and_answers_as_recorded(kind, trained, tmp_path, catalog):
    import transformers as t

    path = trained[kind, "lora"]
    assert exported(path, tmp_path / "model", catalog).same
    model = getattr(t, f"AutoModelFor{AUTO[KINDS[kind]]}").from_pretrained(tmp_path / "model").eval()
    with torch.no_grad():
        answers = model(**inputs_of(catalog, kind, tmp_path / "model")).logits.softmax(-1)
    assert np.allclose(answers.numpy(), recorded(path), atol=1e-5)
    assert tuple(model.config.id2label.values()) == catalog.build("tasks", TASKS[KINDS[kind]], {}).classes
    card = (tmp_path / "model" / "README.md").read_text()
    assert path.parts[-3] in card
    assert "Its predictions on the test split equal those of the trial." in card


@torch.no_grad()
def answers(model, catalog, folder):
    return model.eval()(**inputs_of(catalog, "bert", folder)).logits.softmax(-1).numpy()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # peft's, about its own methods
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_is_read_back_as_an_adapter_by_peft_or_refused(
    strategy, trained, tmp_path, catalog, model_folder
):
    import transformers as t
    from peft import PeftModel

    path = trained["bert", strategy]
    if strategy in WHOLE:
        with pytest.raises(UserError, match=f"'{re.escape(strategy)}' has no adapter in peft's format"):
            exported(path, tmp_path / "adapter", catalog, adapter=True)
        assert not (tmp_path / "adapter").exists()
        return
    exported(path, tmp_path / "adapter", catalog, adapter=True)
    torch.manual_seed(1)
    base = t.AutoModelForSequenceClassification.from_pretrained(model_folder("bert"), num_labels=2)
    model = PeftModel.from_pretrained(base, tmp_path / "adapter")
    assert np.allclose(answers(model, catalog, model_folder("bert")), recorded(path), atol=1e-5)
    with safe_open(tmp_path / "adapter" / "adapter_model.safetensors", "pt") as file:
        size = sum(file.get_tensor(name).nbytes for name in file.keys())  # noqa: SIM118 - not a mapping
    measured = {m["name"]: m["value"] for m in json.loads(path.read_text())["measurements"]}
    assert size == measured["stored_bytes"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_is_read_back_whole_by_transformers_or_refused(strategy, trained, tmp_path, catalog):
    import transformers as t

    path = trained["bert", strategy]
    if strategy in NOT_PLAIN:
        with pytest.raises(UserError, match=f"not a plain .* it has {NOT_PLAIN[strategy]}, which cannot be merged"):
            exported(path, tmp_path / "model", catalog)
        assert not (tmp_path / "model").exists()
        return
    assert exported(path, tmp_path / "model", catalog).same
    model = t.AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert np.allclose(answers(model, catalog, tmp_path / "model"), recorded(path), atol=1e-5)


def test_what_a_library_reads_otherwise_is_refused_in_one_line_and_leaves_nothing(
    trained, tmp_path, catalog, monkeypatch
):
    from transformers import PreTrainedModel

    path = trained["bert", "full"]
    write = PreTrainedModel.save_pretrained

    def spoiled(model, folder, **options):
        with torch.no_grad():
            model.classifier.bias.add_(1)
        write(model, folder, **options)
        with torch.no_grad():
            model.classifier.bias.sub_(1)

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", spoiled)
    with pytest.raises(
        UserError, match=r"^transformers reads the exported model with other outputs: they differ by 1$"
    ):
        exported(path, tmp_path / "model", catalog)
    assert not (tmp_path / "model").exists()


def test_a_student_keeps_its_fewer_blocks(trained, tmp_path, catalog):
    import transformers as t

    exported(trained["bert", "distillation"], tmp_path / "student", catalog)
    assert t.AutoModelForSequenceClassification.from_pretrained(tmp_path / "student").config.num_hidden_layers == 1


def test_a_record_that_does_not_fit_is_told_apart(trained, tmp_path, catalog):
    path = trained["bert", "lora"]
    run = tmp_path / "run"
    shutil.copytree(path.parents[3], run)
    with gzip.open(run / path.relative_to(path.parents[3]).parent / "predictions.jsonl.gz", "at") as stream:
        stream.write("{}")
    assert not exported(run / path.relative_to(path.parents[3]), tmp_path / "model", catalog).same
    assert "differ from those of the trial." in (tmp_path / "model" / "README.md").read_text()


def test_the_command_writes_a_model_or_tells_in_one_line_why_not(trained, ftbench, tmp_path):
    path = trained["bert", "lora"]
    run = path.parents[3]
    done = ftbench("export", run, path.parts[-3], "model", check=0)
    assert "all test predictions match the record" in done.stdout
    adapter = trained["bert", "adapter"].parts[-3]
    for arguments, message in (
        (
            (run, adapter, "other"),
            "not a plain BertForSequenceClassification of transformers: it has adapters, which cannot be merged",
        ),
        (
            (run, adapter, "other", "--adapter"),
            "'adapter' has no adapter in peft's format; export the whole model instead",
        ),
        ((run, "zz", "other"), "no record has an id that begins with 'zz'"),
        ((run, adapter, "model"), "not empty; name another folder"),
    ):
        done = ftbench("export", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    changed = tmp_path / "changed"
    shutil.copytree(run, changed)
    record = changed / path.relative_to(run)
    table = json.loads(record.read_text())
    known = table["trial"]["backbone"]["fingerprint"]
    assert known
    table["trial"]["backbone"]["fingerprint"] = dict.fromkeys(known, "of other files")
    record.write_text(json.dumps(table))
    done = ftbench("export", changed, path.parts[-3], "third", check=1)
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "third").exists()
