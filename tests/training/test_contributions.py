"""Contributions of examples to a score, and scores of one class, against scikit-learn on the examples that remain."""

from types import SimpleNamespace

import numpy as np
import pytest
from ftbench import UserError
from ftbench.api.metrics import metric
from ftbench.api.task import Scored
from ftbench.api.task_kinds import ONE_CLASS
from ftbench.tasks import ClassificationTask, MultiLabelTask, RegressionTask
from ftbench.training.contributions import class_score, contributions, with_deciding_metric
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

RNG = np.random.default_rng(0)
PLACE = {"precision": 0, "recall": 1, "f1": 2}
"""Kind of score → its place in what scikit-learn returns."""


def kind_of(kind, classes=()):
    """A task of a kind, without data."""
    built = type("Built", (kind,), {"classes": classes})
    built.__abstractmethods__ = frozenset()
    return built()


def single(truth, guess, probability=None):
    shares = [None] * len(truth) if probability is None else probability.tolist()
    rows = zip(truth.tolist(), guess.tolist(), shares, strict=True)
    return [{"label": t, "prediction": g, "probabilities": p} for t, g, p in rows]


def several(truth, guess):
    rows = zip(truth, guess, strict=True)
    return [{"label": np.flatnonzero(t).tolist(), "prediction": np.flatnonzero(g).tolist()} for t, g in rows]


def leaving_one_out(measure, *columns):
    """Return the pseudo-values of a score by computing it again without each example."""
    count = len(columns[0])
    rest = [measure(*(np.delete(column, row, axis=0) for column in columns)) for row in range(count)]
    return count * measure(*columns) - (count - 1) * np.array(rest)


def averaged(part, average, labels):
    def measure(truth, guess):
        return sk.precision_recall_fscore_support(truth, guess, labels=labels, average=average, zero_division=0)[part]

    return measure


TRUTH = RNG.choice(4, 40, p=[0.6, 0.2, 0.15, 0.05])
GUESS = np.where(RNG.random(40) < 0.6, TRUTH, RNG.integers(4, size=40))
SINGLE = {
    "balanced_accuracy": sk.balanced_accuracy_score,
    "macro_f1": averaged(2, "macro", None),
    "micro_f1": averaged(2, "micro", None),
    "weighted_f1": averaged(2, "weighted", None),
    "precision": averaged(0, "macro", None),
    "recall": averaged(1, "macro", None),
    "mcc": sk.matthews_corrcoef,
}


@pytest.mark.parametrize("name", SINGLE)
def test_an_example_contributes_what_the_score_of_the_others_lacks(name):
    task = kind_of(ClassificationTask, tuple("abcd"))
    found = contributions(task, single(TRUTH, GUESS), name, None)
    assert np.allclose(found, leaving_one_out(SINGLE[name], TRUTH, GUESS), atol=1e-6)


SETS, SAID = (RNG.random((2, 30, 3)) < 0.4).astype(int)
MULTIPLE = {
    "macro_f1": averaged(2, "macro", None),
    "micro_f1": averaged(2, "micro", None),
    "weighted_f1": averaged(2, "weighted", None),
    "precision": averaged(0, "micro", None),
    "recall": averaged(1, "micro", None),
    "hamming_loss": sk.hamming_loss,
}


@pytest.mark.parametrize("name", MULTIPLE)
def test_so_does_an_example_with_several_classes(name):
    task = kind_of(MultiLabelTask, tuple("abc"))
    found = contributions(task, several(SETS, SAID), name, None)
    assert np.allclose(found, leaving_one_out(MULTIPLE[name], SETS, SAID), atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_so_does_an_example_to_the_area_under_the_curve_with_ties(classes):
    truth, probability = np.arange(24) % classes, RNG.dirichlet([1] * classes, 24).round(1)
    probability[:, 0] += 1 - probability.sum(1)
    columns = [1] if classes == 2 else range(classes)

    def area(truth, probability):
        return np.mean([sk.roc_auc_score(truth == column, probability[:, column]) for column in columns])

    task = kind_of(ClassificationTask, tuple("abc"[:classes]))
    found = contributions(task, single(truth, truth, probability), "auc", None)
    assert np.allclose(found, leaving_one_out(area, truth, probability), atol=1e-6)


NUMBERS, ANSWERS = RNG.normal(size=(2, 25)) + np.array([[3.0], [3.2]])


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("mean_absolute_error", sk.mean_absolute_error),
        ("root_mean_squared_error", sk.root_mean_squared_error),
        ("r2", sk.r2_score),
    ],
)
def test_so_does_a_number(name, measure):
    lines = [{"label": t, "prediction": g} for t, g in zip(NUMBERS.tolist(), ANSWERS.tolist(), strict=True)]
    found = contributions(kind_of(RegressionTask), lines, name, None)
    assert np.allclose(found, leaving_one_out(measure, NUMBERS, ANSWERS), atol=1e-5)


def test_what_an_example_contributes_to_ranks_is_not_known():
    task = kind_of(ClassificationTask, tuple("abcd"))
    assert contributions(task, single(TRUTH, GUESS), "calibration_error", None) is None
    assert contributions(kind_of(RegressionTask), [{"label": 1.0, "prediction": 2.0}], "spearman", None) is None
    assert contributions(SimpleNamespace(classes=("a",)), [], "accuracy", None) is None


@pytest.mark.parametrize("kind", ONE_CLASS)
def test_the_score_of_one_class_is_scikit_learns(kind):
    expected = sk.precision_recall_fscore_support(TRUTH, GUESS, labels=range(4))[PLACE[kind]]
    for place, name in enumerate("abcd"):
        found = class_score(tuple("abcd"), single(TRUTH, GUESS), kind, name)
        assert (found.name, found.direction, found.unit) == (f"{kind}[{name}]", "higher", "1")
        assert found.value == pytest.approx(expected[place])
    sets = sk.precision_recall_fscore_support(SETS, SAID)[PLACE[kind]]
    assert class_score(tuple("abc"), several(SETS, SAID), kind, "b").value == pytest.approx(sets[1])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("recall", "class 'b': no example has this class"),
        ("precision", "class 'b': it is never predicted"),
        ("f1", "class 'b': it neither occurs nor is predicted"),
    ],
)
def test_an_undefined_score_of_a_class_says_why_and_nothing_contributes_to_it(kind, reason):
    lines, task = single(np.array([0, 0]), np.array([0, 0])), kind_of(ClassificationTask, ("a", "b"))
    found = class_score(("a", "b"), lines, kind, "b")
    assert (found.value, found.reason) == (None, reason)
    assert contributions(task, lines, found.name, (kind, "b")) == [None, None]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=30), st.sampled_from(ONE_CLASS))
def test_contributions_to_the_score_of_a_class_average_to_it(pairs, kind):
    truth, guess = (np.array(column) for column in zip(*pairs, strict=True))
    lines, task = single(truth, guess), kind_of(ClassificationTask, tuple("abc"))
    found, score = contributions(task, lines, f"{kind}[b]", (kind, "b")), class_score(tuple("abc"), lines, kind, "b")
    deciding = {"recall": truth == 1, "precision": guess == 1, "f1": (truth == 1) | (guess == 1)}[kind].sum()
    # Without the only example that decides, there is no score.
    assert (None in found) == (deciding <= 1)
    if None not in found:
        assert abs(np.mean(found) - score.value) <= 1e-6 + np.std(found) / np.sqrt(len(found))


# -- what a trial does with it --


@pytest.fixture
def digits(catalog):
    return catalog.build("tasks", "digits-0-4", {})


LINES = ({"id": "1", "label": 0, "prediction": 0}, {"id": "2", "label": 1, "prediction": 0}, {"id": "3", "label": 1, "prediction": 1}, {"id": "4", "label": 0, "prediction": 0})  # fmt: skip


def scored(*measurements, lines=LINES):
    return Scored((metric("accuracy", 0.75, ""), *measurements), lines)


def test_the_score_of_a_class_is_measured_and_every_line_has_its_contribution():
    task = kind_of(ClassificationTask, ("ham", "spam"))
    found = with_deciding_metric(scored(), task, "recall[spam]")
    assert [(m.name, m.value) for m in found.measurements] == [("accuracy", 0.75), ("recall[spam]", 0.5)]
    assert np.mean([line["recall[spam]"] for line in found.predictions]) == pytest.approx(0.5)
    assert [line["id"] for line in found.predictions] == ["1", "2", "3", "4"]


def test_a_tasks_own_contributions_are_kept(digits):
    lines = tuple({**line, "macro_f1": 0.25} for line in LINES)
    given = scored(metric("macro_f1", 0.25, ""), lines=lines)
    assert with_deciding_metric(given, digits, "macro_f1") is given


def test_where_contributions_are_not_known_the_score_decides_without_them(digits):
    given = scored(metric("calibration_error", 0.25, "", direction="lower"))
    assert with_deciding_metric(given, digits, "calibration_error") is given


@pytest.mark.parametrize("name", ["macro_f1", "recall[9]", "words"])
def test_a_score_that_was_not_measured_or_has_no_direction_ends_the_trial(name, digits):
    given = scored(metric("words", 4.0, "", direction="none"))
    with pytest.raises(UserError, match=r"^task\.metric: .* is not a score of this task.* known: accuracy, "):
        with_deciding_metric(given, digits, name)
