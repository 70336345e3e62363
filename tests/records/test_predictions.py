"""Predictions of a trial: how much a test item can contribute to a score of classes."""

import gzip
import json

import pytest
from ftbench import Measurement, Record
from ftbench.records.predictions import read_items
from ftbench.stats.item_scores import over_items

CLASSES = ("ham", "spam")


def items(folder, metric, rows, classes=CLASSES):
    """Read the items of a trial that gets everything right; a row is a true and a predicted class."""
    path = folder / "predictions.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        for place, (label, said) in enumerate(rows):
            line = {"task": "t", "id": str(place), "label": label, "prediction": said, metric: 1.0}
            stream.write(json.dumps(line) + "\n")
    trial = {"seed": 0, "stages": [{"task": {"label": "t"}}]}
    score = (Measurement(metric, 1.0, "1", "higher"),)
    return read_items(path, Record("id", "cell", "e", trial, "ok", metric, score, classes={"t": classes}))


ROWS = [(0, 0)] * 34 + [(0, 1)] * 2 + [(1, 1)] * 4


@pytest.mark.parametrize(
    ("metric", "largest"),
    [
        ("recall[spam]", 40 / 4),
        ("precision[spam]", 40 / 6),
        ("f1[spam]", 40 / 6),
        ("macro_f1", 40 / (2 * 4)),
        ("balanced_accuracy", 40 / (2 * 4)),
        ("weighted_f1", 1.0),
        ("recall[nobody]", 1.0),
    ],
)
def test_an_item_of_a_rare_class_contributes_more(metric, largest, tmp_path):
    assert items(tmp_path, metric, ROWS).largest == largest


def test_sets_of_classes_count_each_of_them(tmp_path):
    assert items(tmp_path, "macro_f1", [([0], [0])] * 8 + [([0, 1], [0])] * 2).largest == 10 / (2 * 2)
    assert items(tmp_path, "recall[spam]", [([0], [0])] * 8 + [([0, 1], [0])] * 2).largest == 5


@pytest.mark.parametrize("label", ["a text", None, ["a", "b"], 1.5, {"a": 1}])
def test_what_has_no_classes_is_one_item_like_the_others(label, tmp_path):
    assert items(tmp_path, "macro_f1", [(label, label)] * 4).largest == 1.0


def test_four_found_of_four_is_no_certainty_however_many_others_there_are(tmp_path):
    few, many = ([(0, 0)] * count + [(1, 1)] * 4 for count in (10, 400))
    errors = [over_items([items(tmp_path, "recall[spam]", rows)] * 2)[0].error for rows in (few, many)]
    assert min(errors) > 0.2
