"""Tasks with other output types than a class: a tiny network learns each, is scored, exported, and predicts the same
without ftbench."""

import gzip
import json

import numpy as np
import pytest
import torch
from ftbench.records.predictions import PREDICTIONS, read_items
from ftbench.records.store import read_record
from ftbench.training.export import export

from tests.conftest import QUICK
from tests.support.in_process import run_in
from tests.support.small_data import TEXT_TASKS

LEARNT = {
    "multi-label-text-classification": ("micro_f1", 0.7),
    "text-regression": ("pearson", 0.9),
    "token-classification": ("f1", 0.95),
    "multiple-choice": ("accuracy", 0.9),
    "question-answering": ("f1", 0.8),
}


@pytest.fixture(scope="module")
def learnt(tmp_path_factory, model_folder):
    """Run one suite of full fine-tuning on all of them; return the path of a task's record."""
    folder = tmp_path_factory.mktemp("answers")
    text = 'name = "answers"\nseeds = [0]\nprofile = "smoke"\n[training]\nsteps = 120\nbatch_size = 16\nlr = 5e-3\n[machine]\nthreads = 1\n'
    text += f"[measure]\n{QUICK}\n"
    text += f'[[backbone]]\nuse = "transformers"\npath = "{model_folder("bert")}"\n[[strategy]]\nuse = "full"\n'
    for use, (write, options) in TEXT_TASKS.items():
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())
        text += f'[[task]]\nuse = "{use}"\ndata = "{write(folder)}"\n{lines}'
    (folder / "s.toml").write_text(text)
    run_in(folder, "run", "s.toml", check=0)
    return {
        json.loads(path.read_text())["trial"]["target"]: path
        for path in folder.glob("runs/answers/trials/*/*/record.json")
    }


def predictions(path):
    with gzip.open(path.parent / "predictions.jsonl.gz", "rt") as stream:
        return [json.loads(line) for line in stream]


@pytest.mark.parametrize("task", LEARNT)
def test_it_is_learnt(task, learnt):
    name, least = LEARNT[task]
    record = read_record(learnt[task])
    assert record.primary == name
    assert record.measurement(name).value >= least
    assert all(m.value is not None or m.reason for m in record.measurements)
    # What early stopping and the best weights go by, if nothing else is said.
    assert record.measurement("loss").value < record.curves[0].points[0]["task_loss"]


@pytest.mark.parametrize("task", LEARNT)
def test_what_each_example_adds_to_the_score_is_kept(task, learnt):
    record = read_record(learnt[task])
    found = read_items(learnt[task].parent / PREDICTIONS, record)
    assert found.metric == record.primary
    assert found.values.mean() == pytest.approx(record.measurement(record.primary).value)
    assert len(found.values) == len(predictions(learnt[task]))


def test_a_page_is_made_of_all_of_them(learnt):
    page = (next(iter(learnt.values())).parents[3] / "report.html").read_text()
    assert all(task in page for task in LEARNT)
    assert "text-regression: training loss</b> Mean over seeds, shaded from minimum to maximum, in target²." in page
    assert "<h3>Confusion</h3>" not in page, "none of them has classes that could be confused"


def exported(learnt, task, catalog, folder, auto):
    import transformers

    done = export(learnt[task].parents[3], learnt[task].parent.parent.name, folder, catalog, adapter=False)
    assert done.same
    return getattr(transformers, f"AutoModelFor{auto}").from_pretrained(
        folder
    ).eval(), transformers.AutoTokenizer.from_pretrained(folder)


@torch.no_grad()
def said(model, **inputs):
    return model(**inputs)


def rows_of(task, catalog, learnt):
    options = read_record(learnt[task]).trial["stages"][0]["task"]["options"]
    built = catalog.build("tasks", task, options)
    found = predictions(learnt[task])
    return found, built.cells(built.named([one["id"] for one in found]))


def test_sets_of_classes_are_answered_the_same_by_transformers(learnt, catalog, tmp_path):
    model, tokenizer = exported(learnt, "multi-label-text-classification", catalog, tmp_path, "SequenceClassification")
    assert model.config.problem_type == "multi_label_classification"
    found, rows = rows_of("multi-label-text-classification", catalog, learnt)
    logits = said(model, **tokenizer([row["text"] for row in rows], return_tensors="pt", padding=True)).logits
    assert np.allclose(torch.sigmoid(logits), [one["probabilities"] for one in found], atol=1e-5)


def test_numbers_are_answered_the_same_by_transformers(learnt, catalog, tmp_path):
    model, tokenizer = exported(learnt, "text-regression", catalog, tmp_path, "SequenceClassification")
    assert (model.config.problem_type, model.config.num_labels) == ("regression", 1)
    found, rows = rows_of("text-regression", catalog, learnt)
    logits = said(model, **tokenizer([row["text"] for row in rows], return_tensors="pt", padding=True)).logits
    assert np.allclose(logits[:, 0], [one["prediction"] for one in found], atol=1e-5)


def test_tags_are_answered_the_same_by_transformers(learnt, catalog, tmp_path):
    model, tokenizer = exported(learnt, "token-classification", catalog, tmp_path, "TokenClassification")
    found, rows = rows_of("token-classification", catalog, learnt)
    for one, row in zip(found, rows, strict=True):
        made = tokenizer([row["tokens"]], is_split_into_words=True, return_tensors="pt")
        tags = [model.config.id2label[int(tag)] for tag in said(model, **made).logits[0].argmax(-1)]
        words = made.word_ids(0)
        assert [tags[words.index(word)] for word in range(len(row["tokens"]))] == one["prediction"]


def test_choices_are_answered_the_same_by_transformers(learnt, catalog, tmp_path):
    model, tokenizer = exported(learnt, "multiple-choice", catalog, tmp_path, "MultipleChoice")
    found, rows = rows_of("multiple-choice", catalog, learnt)
    for one, row in zip(found, rows, strict=True):
        made = tokenizer([row["question"]] * 3, [row[name] for name in "abc"], return_tensors="pt", padding=True)
        logits = said(model, **{name: value[None] for name, value in made.items()}).logits[0]
        assert np.allclose(logits.softmax(-1), one["probabilities"], atol=1e-5)


def test_pieces_of_texts_are_answered_the_same_by_transformers(learnt, catalog, tmp_path):
    model, tokenizer = exported(learnt, "question-answering", catalog, tmp_path, "QuestionAnswering")
    found, rows = rows_of("question-answering", catalog, learnt)
    same = 0
    for one, row in zip(found, rows, strict=True):
        # In one window where ftbench reads several: most answers are the same.
        made = tokenizer(row["question"], row["context"], return_tensors="pt", return_offsets_mapping=True)
        offsets = made.pop("offset_mapping")[0]
        out = said(model, **made)
        inside = [place for place, side in enumerate(made.sequence_ids(0)) if side == 1]
        begin, end = (inside[int(logits[0, inside].argmax())] for logits in (out.start_logits, out.end_logits))
        same += row["context"][offsets[begin][0] : offsets[end][1]] == one["prediction"]
    assert same >= 0.8 * len(rows)
