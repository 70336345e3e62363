"""Scores against values worked out by hand and against scikit-learn and scipy called directly."""

import numpy as np
import pytest
from ftbench.api.metrics import class_scores, label_scores, number_scores, ranking_scores
from ftbench.tasks import calibration_error
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


def by_name(measurements):
    return {m.name: m for m in measurements}


def values(measurements):
    return {m.name: m.value for m in measurements}


def certain(guesses, classes):
    """Log-probabilities of someone who is nearly sure of each guess."""
    return np.log(np.where(np.eye(classes)[guesses] == 1, 1 - 1e-6 * (classes - 1), 1e-6))


def test_a_class_that_neither_occurs_nor_is_predicted_is_left_out_of_the_means():
    found = values(class_scores(np.array([0, 0, 1, 1]), certain([0, 0, 1, 2], 4)))
    assert found["accuracy"] == found["micro_f1"] == 0.75
    assert found["weighted_f1"] == pytest.approx(5 / 6)
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found["balanced_accuracy"] == 0.75


@pytest.mark.parametrize("classes", [2, 10, 20])
def test_a_constant_answer_has_the_precision_of_a_constant_answer(classes):
    """One class of K is said, with precision 1/K, and the others count with 0: 1/K²; recall is 1/K."""
    truth = np.arange(classes).repeat(2)
    found = values(class_scores(truth, certain([1] * len(truth), classes)))
    assert found["precision"] == pytest.approx(1 / classes**2)
    assert found["recall"] == pytest.approx(1 / classes)


@pytest.mark.parametrize("seed", range(20))
def test_macro_scores_are_those_of_scikit_learn_by_default(seed):
    from sklearn.metrics import precision_recall_fscore_support

    rng = np.random.default_rng(seed)
    truth, guess = rng.integers(rng.integers(2, 5), size=9), rng.integers(rng.integers(1, 6), size=9)
    found = values(class_scores(truth, certain(guess, 6)))
    expected = precision_recall_fscore_support(truth, guess, average="macro", zero_division=0)
    assert [found[name] for name in ("precision", "recall", "macro_f1")] == pytest.approx(expected[:3])


def test_a_constant_answer_has_a_correlation_of_zero():
    assert values(class_scores(np.array([0, 1, 0, 1]), certain([1, 1, 1, 1], 2)))["mcc"] == 0.0


def test_area_and_average_precision_of_two_classes_are_those_of_the_second():
    probability = np.array([0.1, 0.4, 0.35, 0.8])
    area, precision = ranking_scores(np.eye(2)[[0, 0, 1, 1]], np.stack([1 - probability, probability], 1))
    assert (area.value, precision.value) == (0.75, pytest.approx(0.8333333, abs=1e-6))


def test_ties_are_worth_half():
    area, _ = ranking_scores(np.eye(2)[[0, 1, 0, 1]], np.full((4, 2), 0.5))
    assert area.value == 0.5


def test_of_several_classes_the_area_is_the_mean_of_one_against_the_rest():
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(0)
    truth, probability = rng.integers(3, size=60), rng.dirichlet([1, 1, 1], 60)
    area, precision = ranking_scores(np.eye(3)[truth], probability)
    assert area.value == pytest.approx(roc_auc_score(truth, probability, multi_class="ovr", average="macro"))
    assert precision.value == pytest.approx(average_precision_score(np.eye(3)[truth], probability, average="macro"))


def test_with_one_class_alone_there_is_no_area_and_it_says_why():
    area, precision = ranking_scores(np.eye(2)[[1, 1, 1]], np.full((3, 2), 0.5))
    assert area.value is None
    assert precision.value is None
    assert area.reason == "a class holds for all examples or for none"


def test_the_loss_is_the_mean_negative_log_likelihood():
    probability = np.array([[0.7, 0.3], [0.2, 0.8]])
    assert values(class_scores(np.array([0, 0]), np.log(probability)))["loss"] == pytest.approx(
        -(np.log(0.7) + np.log(0.2)) / 2
    )


def test_calibration_error_is_the_gap_between_confidence_and_accuracy_in_each_bin():
    # Bins of 1/15: (.6, .667] holds two answers, one right: |.5 - .65|; (.933, 1] holds two, both right: |1 - .95|.
    right, confidence = np.array([True, False, True, True]), np.array([0.65, 0.65, 0.95, 0.95])
    assert calibration_error(right, confidence) == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)


def test_who_is_sure_and_right_is_calibrated_and_who_is_sure_and_wrong_is_not():
    assert calibration_error(np.array([True, True]), np.array([1.0, 1.0])) == 0.0
    assert calibration_error(np.array([False, False]), np.array([1.0, 1.0])) == 1.0


@given(arrays(float, 20, elements=st.floats(0, 1)), arrays(bool, 20))
def test_calibration_error_is_a_share(confidence, right):
    assert -1e-12 <= calibration_error(right, confidence) <= 1 + 1e-12


def test_sets_of_classes_are_scored_as_scikit_learn_scores_them():
    from sklearn.metrics import f1_score, hamming_loss, log_loss

    rng = np.random.default_rng(0)
    truth, probability = rng.integers(2, size=(50, 4)), rng.uniform(0.01, 0.99, (50, 4))
    guess = probability >= 0.5
    found = values(label_scores(truth, probability))
    for name, kind in (("micro_f1", "micro"), ("macro_f1", "macro"), ("weighted_f1", "weighted")):
        assert found[name] == pytest.approx(f1_score(truth, guess, average=kind))
    assert found["hamming_loss"] == pytest.approx(hamming_loss(truth, guess))
    assert found["exact_match"] == pytest.approx((truth == guess).all(1).mean())
    assert found["loss"] == pytest.approx(np.mean([log_loss(truth[:, k], probability[:, k]) for k in range(4)]))


def test_sets_that_are_never_said_have_no_precision_and_it_says_why():
    found = by_name(label_scores(np.array([[1, 0], [0, 1]]), np.full((2, 2), 0.1)))
    assert found["precision"].value is None
    assert found["precision"].reason == "no class was said of any example"
    assert found["recall"].value == 0.0


def test_numbers_are_scored_as_scipy_scores_them():
    from scipy.stats import pearsonr, spearmanr

    rng = np.random.default_rng(0)
    truth, guess = rng.normal(size=30), rng.normal(size=30)
    found = values(number_scores(truth, guess))
    assert found["pearson"] == pytest.approx(pearsonr(truth, guess)[0])
    assert found["spearman"] == pytest.approx(spearmanr(truth, guess)[0])
    assert found["root_mean_squared_error"] == pytest.approx(np.sqrt(((truth - guess) ** 2).mean()))
    assert found["r2"] == pytest.approx(1 - ((truth - guess) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


@pytest.mark.parametrize(
    "numbers", [([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]), ([1.0], [1.0])]
)
def test_constant_numbers_have_no_correlation_and_it_says_why(numbers):
    found = by_name(number_scores(*map(np.array, numbers)))
    assert found["pearson"].value is None
    assert found["pearson"].reason == "the truth, or every answer, is one and the same number"
    assert found["mean_absolute_error"].value is not None
