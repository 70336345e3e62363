"""Error analysis, against scikit-learn and by hand."""

from itertools import pairwise

import numpy as np
import pytest
from ftbench.analysis.errors.error_analysis import class_scores, errors_of, slices_by_length, with_probabilities
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support


def line(identity, label, prediction, confidence):
    probabilities = [(1 - confidence) / 2] * 3
    probabilities[prediction] = confidence
    return {"id": identity, "label": label, "prediction": prediction, "probabilities": probabilities}


def analysed(lines):
    return errors_of("task", {name: [[1]] for name in lines}, (), with_probabilities(lines))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_the_scores_of_classes_are_scikit_learns(pairs):
    truth, guess = zip(*pairs, strict=True)
    known = precision_recall_fscore_support(truth, guess, labels=range(4), zero_division=np.nan)
    found = class_scores(confusion_matrix(truth, guess, labels=range(4)).tolist(), ("a", "b", "c", "d"))
    for place, one in enumerate(found):
        for mine, theirs in zip((one.precision, one.recall, one.f1), known[:3], strict=False):
            assert (mine is None and np.isnan(theirs[place])) or mine == pytest.approx(theirs[place])
        assert one.support == truth.count(place)


def test_the_most_confident_mistakes_come_first_an_item_once():
    lines = {
        "best": {
            0: [line("x", 0, 1, 0.6), line("y", 0, 2, 0.9), line("z", 1, 1, 0.99)],
            1: [line("x", 0, 2, 0.95), line("y", 0, 0, 0.9), line("z", 1, 1, 0.99)],
        }
    }
    first, second = analysed(lines).mistakes
    assert (first.id, first.prediction, first.confidence, first.wrong, first.of) == ("x", 2, 0.95, 2, 2)
    assert (second.id, second.wrong) == ("y", 1)


def test_the_mistakes_are_those_of_the_best_who_makes_any():
    lines = {"perfect": {0: [line("x", 0, 0, 0.9)]}, "second": {0: [line("x", 0, 1, 0.9)]}}
    assert analysed(lines).leader == "second"


def test_bins_hold_every_answer_and_weigh_up_to_the_accuracy():
    rng = np.random.default_rng(0)
    lines = [line(str(n), 0, int(rng.integers(3)), float(rng.uniform(0.34, 1))) for n in range(200)]
    bins = analysed({"a": {0: lines}}).calibration["a"]
    assert sum(one.count for one in bins) == 200
    assert sum(one.count * one.right for one in bins) / 200 == pytest.approx(
        np.mean([one["prediction"] == 0 for one in lines])
    )
    assert all(low.confidence < high.confidence for low, high in pairwise(bins))


def test_items_are_parted_by_length_and_every_item_is_in_one_part():
    lines = [line(str(n), 0, int(n < 3), 0.9) for n in range(9)]
    parts = slices_by_length({"a": {0: lines}}, {str(n): float(n) for n in range(9)})
    assert [(one.name, one.items) for one in parts] == [
        ("0 to 2 letters", 3),
        ("3 to 5 letters", 3),
        ("6 to 8 letters", 3),
    ]
    assert [one.scores["a"].mean for one in parts] == [0, 1, 1]


def test_classes_of_one_size_are_no_kinds_of_items():
    even = [line(str(n), n % 2, 0, 0.9) for n in range(10)]
    uneven = [line(str(n), int(n < 2), 0, 0.9) for n in range(10)]
    assert not analysed({"a": {0: even}}).slices
    assert [one.name for one in analysed({"a": {0: uneven}}).slices] == ["2 items", "8 items"]


def test_answers_without_probabilities_give_classes_alone():
    lines = {"a": {0: [{"id": "x", "label": "yes", "prediction": "no"}]}}
    found = analysed(lines)
    assert (found.leader, found.mistakes, found.calibration) == ("", (), {})
    assert found.classes["a"]
