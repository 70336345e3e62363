"""Scores that are computed again from predictions: as the tasks and independent libraries compute them, or refused."""

import re
import string
from collections import Counter
from dataclasses import replace

import jiwer
import numpy as np
import pytest
from ftbench import Encoded, Ragged
from ftbench.api.metrics import number_scores
from ftbench.leaderboard.rescoring import contradictions, scores_of
from ftbench.leaderboard.text_scores import text_scores
from ftbench.records.predictions import read_predictions, write_predictions
from ftbench.tasks import metric
from scipy import stats
from seqeval import metrics as seqeval
from seqeval import scheme as schemes
from sklearn import metrics as sklearn

from ftbench_plugins.text.pieces import LENGTHS
from ftbench_plugins.text.token_classification import TokenClassification
from tests.support.made_records import record
from tests.support.small_data import TEXT_TASKS, tones

KINDS = (
    *("multi-label-text-classification", "text-regression", "token-classification", "question-answering"),
    "speech-recognition",
)


@pytest.fixture(scope="module")
def trials(tmp_path_factory, model_folder, catalog):
    """Score noisy answers by the code of each kind of task; return a record and the predictions that it keeps, by task."""
    folder = tmp_path_factory.mktemp("kinds")
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))}).load_processor()
    found = {}
    for kind in KINDS:
        write, options = TEXT_TASKS.get(kind, (lambda place: tones(place, 40), {}))
        task = catalog.build("tasks", kind, {"data": str(write(folder)), **options})
        if kind == "speech-recognition":
            examples = task.named([f"data-{n}" for n in range(40)])
            encoded = Encoded({}, Ragged.of([[0]] * 40), tuple(one.id for one in examples), np.ones(40))
        else:
            encoded = task.encode(task.splits(0).test, processor)
        found[kind] = kept(task, task.score(noisy(kind, encoded, task), encoded), folder)
    return found


def kept(task, scored, folder):
    """Return the record of a trial with these scores, and its predictions as they are read from its file."""
    path = folder / "predictions.jsonl.gz"
    write_predictions(path, {"t": scored}, {"t": task})
    made = record("full", 0, 0.5, target="t")
    return replace(
        made, primary=task.primary, measurements=scored.measurements, confusion={}, classes={"t": tuple(task.classes)}
    ), read_predictions(path)


def noisy(kind, encoded, task):
    """Return answers of a network that is right about every second time."""
    rng = np.random.default_rng(0)
    if kind == "speech-recognition":
        frames = [[task.classes.index("|" if sign == " " else sign) for sign in "a b"] for _ in encoded.ids]
        return [np.array([sign if rng.random() < 0.7 else rng.integers(4) for sign in row]) for row in frames]
    if kind == "question-answering":
        found = []
        for row in range(len(encoded)):
            sizes, places = encoded.columns[LENGTHS][row], encoded.labels[row].reshape(-1, 2)
            logits, first = rng.normal(0, 2, (int(sizes.sum()), 2)), np.cumsum([0, *sizes[:-1]])
            for start, place in zip(first, places, strict=True):
                logits[start + place, (0, 1)] += 4 * place.any()
            found.append(logits.astype(np.float32))
        return found
    if kind == "token-classification":
        wanted = [row[row != -100] for row in (encoded.labels[n] for n in range(len(encoded)))]
        return [
            (2 * np.eye(len(task.classes))[row] + rng.normal(0, 1, (len(row), len(task.classes)))) for row in wanted
        ]
    wanted = np.asarray(encoded.wanted(), float).reshape(len(encoded), -1)
    return list(wanted + rng.normal(0, 1, wanted.shape) - (0.5 if kind.startswith("multi") else 0.0))


def values(record):
    return {m.name: m.value for m in record.measurements if m.scope == "test" and m.value is not None}


def with_score(record, name, value):
    """Return a record with another value of one score of its test split."""
    changed = tuple(replace(m, value=value) if m.name == name else m for m in record.measurements)
    return replace(record, measurements=changed)


# ---- oracles ---------------------------------------------------------------------------------------------------------


def of_sets(lines):
    classes = len(lines[0]["probabilities"])
    truth, said = (
        np.array([[place in line[key] for place in range(classes)] for line in lines])
        for key in ("label", "prediction")
    )
    how = {"zero_division": 0}
    return {
        "micro_f1": sklearn.f1_score(truth, said, average="micro", **how),
        "example_f1": sklearn.f1_score(truth, said, average="samples", **how) if truth.any(1).all() else None,
        "precision": sklearn.precision_score(truth, said, average="micro", **how),
        "recall": sklearn.recall_score(truth, said, average="micro", **how),
        "exact_match": np.mean([line["label"] == line["prediction"] for line in lines]),
        "hamming_loss": np.mean(truth != said),
    }


def of_numbers(lines):
    truth, said = (np.array([line[key] for line in lines]) for key in ("label", "prediction"))
    return {
        "pearson": stats.pearsonr(truth, said).statistic,
        "spearman": stats.spearmanr(truth, said).statistic,
        "r2": 1 - ((truth - said) ** 2).sum() / ((truth - truth.mean()) ** 2).sum(),
        "mean_absolute_error": abs(truth - said).mean(),
        "root_mean_squared_error": np.sqrt(((truth - said) ** 2).mean()),
    }


def of_tags(lines, scheme=schemes.IOB2):
    truth, said = ([line[key] for line in lines] for key in ("label", "prediction"))
    how = {"mode": "strict", "scheme": scheme, "zero_division": 0}
    pairs = [pair for one, other in zip(truth, said, strict=True) for pair in zip(one, other, strict=True)]
    return {
        "f1": seqeval.f1_score(truth, said, **how),
        "macro_f1": seqeval.f1_score(truth, said, average="macro", **how),
        "precision": seqeval.precision_score(truth, said, **how),
        "recall": seqeval.recall_score(truth, said, **how),
        "token_accuracy": np.mean([one == other for one, other in pairs]),
    }


# SQuAD's evaluation script, version 1.1 (Rajpurkar et al. 2016), copied for comparison.


def normalize_answer(s):
    def remove_articles(text):
        return re.sub(r"\b(a|an|the)\b", " ", text)

    def white_space_fix(text):
        return " ".join(text.split())

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return white_space_fix(remove_articles(remove_punc(s.lower())))


def squad_f1(prediction, ground_truth):
    prediction_tokens = normalize_answer(prediction).split()
    ground_truth_tokens = normalize_answer(ground_truth).split()
    common = Counter(prediction_tokens) & Counter(ground_truth_tokens)
    num_same = sum(common.values())
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(prediction_tokens)
    recall = 1.0 * num_same / len(ground_truth_tokens)
    return (2 * precision * recall) / (precision + recall)


def of_answers(lines):
    return {
        "f1": np.mean([max(squad_f1(line["prediction"], one) for one in line["label"]) for line in lines]),
        "exact_match": np.mean(
            [
                max(normalize_answer(line["prediction"]) == normalize_answer(one) for one in line["label"])
                for line in lines
            ]
        ),
    }


def of_transcripts(lines):
    truth, said = ([line[key] for line in lines] for key in ("label", "prediction"))
    return {
        "word_error_rate": jiwer.wer(truth, said),
        "character_error_rate": jiwer.cer(truth, said),
        "exact_match": np.mean([one == other for one, other in zip(truth, said, strict=True)]),
    }


ORACLES = dict(zip(KINDS, (of_sets, of_numbers, of_tags, of_answers, of_transcripts), strict=True))
ROUNDED = ("r2", "pearson", "spearman", "mean_absolute_error", "root_mean_squared_error")


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_trial_is_not_contradicted(kind, trials):
    done, lines = trials[kind]
    assert list(contradictions(done, lines)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_independent_libraries(kind, trials):
    done, lines = trials[kind]
    measured = {m.name: m for m in done.measurements if m.scope == "test"}
    found = scores_of(lines, measured, done.classes["t"])
    for name, value in ORACLES[kind](lines).items():
        if value is not None:
            middle = (found[name].low + found[name].high) / 2
            assert middle == pytest.approx(value, abs=1e-5 if name in ROUNDED else 1e-6), name
            assert values(done)[name] == pytest.approx(value, abs=1e-5), name


@pytest.mark.parametrize("kind", KINDS)
def test_each_score_of_a_trial_is_refused_if_it_is_forged(kind, trials):
    """Only the loss of tags, which follows from logits that are not kept, is taken as it is."""
    done, lines = trials[kind]
    free = {"loss"} if kind == "token-classification" else set()
    scores = values(done)
    assert {*ORACLES[kind](lines)} <= {*scores} | {"example_f1"}
    for name, value in scores.items():
        for forged in (value + 0.01, value - 0.01):
            faults = list(contradictions(with_score(done, name, forged), lines))
            if name in free:
                assert faults == []
            else:
                (fault,) = faults
                assert fault.startswith(f"{name.replace('_', ' ')} is {forged:.6g}, but its predictions give ")


SCHEMES = ("IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU")


@pytest.mark.parametrize("scheme", [*SCHEMES, "words"])
def test_tags_of_every_scheme_are_scored_as_the_task_scores_them(scheme, tmp_path):
    letters = {"words": (), "IOBES": "BIES", "BILOU": "BILU"}.get(scheme, f"I{scheme[2]}")
    names = (
        ("NOUN", "VERB", "O") if scheme == "words" else ("O", *(f"{a}-{b}" for a in letters for b in ("PER", "LOC")))
    )
    rng = np.random.default_rng(1)
    tags = [[names[n] for n in rng.integers(len(names), size=5)] for _ in range(30)]
    (tmp_path / "a.conll").write_text("\n\n".join("\n".join(f"w {tag}" for tag in row) for row in tags) + "\n")
    task = TokenClassification(str(tmp_path / "a.conll"), labels=names, scheme=scheme)
    wanted = [[names.index(tag) for tag in row] for row in tags]
    encoded = Encoded({}, Ragged.of(wanted, padding=-100), tuple(f"data-{n}" for n in range(30)), np.ones(30))
    answers = [
        np.eye(len(names), dtype=np.float32)[[n if rng.random() < 0.7 else rng.integers(len(names)) for n in row]]
        for row in wanted
    ]
    done, lines = kept(task, task.score(answers, encoded), tmp_path)
    assert list(contradictions(done, lines)) == []
    checked = values(done).keys() - {"loss"}
    assert {"f1", "token_accuracy"} < checked
    for name in checked:
        (fault,) = contradictions(with_score(done, name, values(done)[name] + 0.01), lines)
        assert fault.startswith(name.replace("_", " "))
    if scheme != "words":
        found = text_scores(lines, {m.name: m for m in done.measurements})
        for name, value in of_tags(lines, getattr(schemes, scheme)).items():
            assert found[name] == pytest.approx(value), name


def test_tags_of_another_number_than_words_are_refused(trials):
    done, lines = trials["token-classification"]
    short = [{**line, "prediction": line["prediction"][:-1]} for line in lines]
    assert any(fault.startswith("token accuracy is ") for fault in contradictions(done, short))


@pytest.mark.parametrize(
    ("said", "right", "exact", "f1"),
    [
        # The examples of the paper's articles and of the script's rules.
        ("The Denver Broncos!", ["Denver Broncos", "Denver Broncos", "Broncos"], 1, 1),
        ("Santa Clara", ["Levi's Stadium in Santa Clara, California", "Levi's Stadium"], 0, 0.5),
        ("gold-coloured", ["gold", "a gold"], 0, 0),
        ("", ["gold"], 0, 0),
        ("", [], 1, 1),
        ("gold", [], 0, 0),
        ("the", ["gold"], 0, 0),
        ("theatre an anthem", ["theatre anthem"], 1, 1),
    ],
)
def test_short_answers_are_scored_like_squad(said, right, exact, f1):
    lines = [{"id": "q", "label": right, "prediction": said}]
    method = "as SQuAD's script: no case, punctuation and articles; the nearest right answer"
    measured = {name: metric(name, 0.0, method) for name in ("f1", "exact_match")}
    assert text_scores(lines, measured) == {"f1": pytest.approx(f1), "exact_match": exact}
    if right:
        assert text_scores(lines, measured) == pytest.approx(of_answers(lines))


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-5, 2e-6, 1e-7])
def test_numbers_that_hardly_differ_are_not_contradicted_by_their_rounding(spread):
    """What a network that has hardly learnt predicts: the kept digits are few, and so is what follows from them."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        truth, said = rng.normal(size=50), 3.0 + spread * rng.normal(size=50)
        lines = [
            {"id": str(n), "task": "t", "label": float(one), "prediction": round(float(other), 6)}
            for n, (one, other) in enumerate(zip(truth, said, strict=True))
        ]
        done = replace(record("full", 0, 0.5, target="t"), confusion={}, measurements=number_scores(truth, said))
        assert list(contradictions(done, lines)) == []
        if spread == 1.0:
            (fault,) = contradictions(with_score(done, "spearman", values(done)["spearman"] + 0.001), lines)
            assert fault.startswith("spearman is ")


def test_transcripts_without_a_word_are_scored_by_what_they_hold():
    lines = [
        {"id": str(n), "label": right, "prediction": said, "word_errors": 0}
        for n, (right, said) in enumerate([("one two", ""), ("three", "three"), ("four", "for four")])
    ]
    assert text_scores(lines, {}) == pytest.approx(
        {"word_error_rate": 3 / 4, "character_error_rate": 11 / 16, "exact_match": 1 / 3}
    )
