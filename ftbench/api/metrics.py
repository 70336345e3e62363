"""Scores of answers by scikit-learn and scipy; what is undefined for a split has no value and says why."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .measurement import Direction, Measurement

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

BINS = 15
"""Bins of the calibration error, as Guo et al. 2017 use."""
CLASS_SCORES = (
    *("accuracy", "balanced_accuracy", "macro_f1", "micro_f1", "weighted_f1", "precision", "recall", "mcc"),
    *("auc", "average_precision", "calibration_error", "loss"),
)
"""Names of the scores of `class_scores`."""
LABEL_SCORES = (
    *("micro_f1", "macro_f1", "weighted_f1", "example_f1", "precision", "recall", "exact_match", "hamming_loss"),
    *("auc", "average_precision", "loss"),
)
"""Names of the scores of `label_scores`."""
NUMBER_SCORES = ("pearson", "spearman", "r2", "mean_absolute_error", "root_mean_squared_error")
"""Names of the scores of `number_scores`."""
ABSENT = "classes that neither occur nor are predicted left out"
MACRO = f"precision_recall_fscore_support, macro, {ABSENT}; 0 where undefined"


def metric(
    name: str, value: float, method: str, unit: str = "1", direction: Direction = "higher", *, reason: str = ""
) -> Measurement:
    """Return one score of a split; a value that is not a number becomes null with `reason`."""
    if np.isfinite(value):
        return Measurement(name, float(value), unit, direction, method=method, scope="test")
    return Measurement(
        name, None, unit, direction, method=method, scope="test", reason=reason or "undefined for this split"
    )


def class_scores(truth: NDArray[np.int64], log_probability: NDArray[np.float64]) -> tuple[Measurement, ...]:
    """Score answers of one class each.

    Args:
        truth: true classes, [examples].
        log_probability: natural logarithms of what was said of each class, [examples, classes].
    """
    from sklearn import metrics as sk

    probability, guess = np.exp(log_probability), log_probability.argmax(1)
    names = list(range(log_probability.shape[1]))
    loss = -log_probability[np.arange(len(truth)), truth].mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        averaged = {
            kind: sk.precision_recall_fscore_support(truth, guess, average=kind, zero_division=0)
            for kind in ("macro", "micro", "weighted")
        }
        return (
            metric("accuracy", sk.accuracy_score(truth, guess), "accuracy_score"),
            metric(
                "balanced_accuracy",
                sk.balanced_accuracy_score(truth, guess),
                "balanced_accuracy_score: mean recall of the true classes",
            ),
            metric("macro_f1", averaged["macro"][2], MACRO),
            metric("micro_f1", averaged["micro"][2], "precision_recall_fscore_support, micro"),
            metric(
                "weighted_f1", averaged["weighted"][2], "precision_recall_fscore_support, weighted by true examples"
            ),
            metric("precision", averaged["macro"][0], MACRO),
            metric("recall", averaged["macro"][1], MACRO),
            metric("mcc", sk.matthews_corrcoef(truth, guess), "matthews_corrcoef; 0 for a constant answer"),
            *ranking_scores(np.eye(len(names))[truth], probability),
            metric(
                "calibration_error",
                calibration_error(truth == guess, probability.max(1)),
                f"{BINS} bins",
                direction="lower",
            ),
            metric("loss", loss, "mean negative log-likelihood", unit="nat", direction="lower"),
        )


def label_scores(truth: NDArray[np.int64], probability: NDArray[np.float64]) -> tuple[Measurement, ...]:
    """Score answers of any of several classes; a class is said where its probability is at least one half.

    Args:
        truth: 1 for each class that applies, [examples, classes].
        probability: predicted probability of each class, [examples, classes].
    """
    from sklearn import metrics as sk

    guess = (probability >= 0.5).astype(int)
    likelihood = np.where(truth == 1, probability, 1 - probability)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        averaged = {
            kind: sk.precision_recall_fscore_support(truth, guess, average=kind, zero_division=np.nan)
            for kind in ("macro", "micro", "weighted", "samples")
        }
        return (
            metric("micro_f1", averaged["micro"][2], "precision_recall_fscore_support, micro"),
            metric("macro_f1", averaged["macro"][2], f"precision_recall_fscore_support, macro, {ABSENT}"),
            metric(
                "weighted_f1", averaged["weighted"][2], "precision_recall_fscore_support, weighted by true examples"
            ),
            metric(
                "example_f1", averaged["samples"][2], "precision_recall_fscore_support, mean over examples with a class"
            ),
            metric(
                "precision",
                averaged["micro"][0],
                "precision_recall_fscore_support, micro",
                reason="no class was said of any example",
            ),
            metric(
                "recall",
                averaged["micro"][1],
                "precision_recall_fscore_support, micro",
                reason="no example has a class",
            ),
            metric("exact_match", sk.accuracy_score(truth, guess), "accuracy_score of whole sets"),
            metric("hamming_loss", sk.hamming_loss(truth, guess), "hamming_loss", direction="lower"),
            *ranking_scores(truth, probability),
            metric(
                "loss",
                float(-np.log(np.maximum(likelihood, 1e-12)).mean()),
                "mean binary cross-entropy",
                unit="nat",
                direction="lower",
            ),
        )


def number_scores(truth: NDArray[np.float64], guess: NDArray[np.float64]) -> tuple[Measurement, ...]:
    """Score numbers; both of shape [examples]."""
    from scipy.stats import pearsonr, spearmanr
    from sklearn import metrics as sk

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pearson, spearman = _correlation(pearsonr, truth, guess), _correlation(spearmanr, truth, guess)
        explained = sk.r2_score(truth, guess) if len(truth) > 1 and np.ptp(truth) else np.nan
    constant = "the truth, or every answer, is one and the same number"
    return (
        metric("pearson", pearson, "scipy pearsonr", reason=constant),
        metric("spearman", spearman, "scipy spearmanr", reason=constant),
        metric("r2", explained, "r2_score", reason=constant),
        metric("mean_absolute_error", sk.mean_absolute_error(truth, guess), "mean_absolute_error", "target", "lower"),
        metric(
            "root_mean_squared_error",
            sk.root_mean_squared_error(truth, guess),
            "root_mean_squared_error",
            "target",
            "lower",
        ),
    )


def _correlation(measure: Callable[..., Any], truth: NDArray[np.float64], guess: NDArray[np.float64]) -> float:
    if len(truth) < 2 or not np.ptp(truth) or not np.ptp(guess):
        return np.nan
    return float(measure(truth, guess).statistic)


def ranking_scores(truth: NDArray[Any], probability: NDArray[np.float64]) -> tuple[Measurement, Measurement]:
    """Return the area under the ROC curve and the average precision: means over classes, or those of the second of two.

    Args:
        truth: 1 for each class that applies, [examples, classes].
        probability: predicted probability of each class, [examples, classes].
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    classes = [1] if truth.shape[1] == 2 and (truth.sum(1) == 1).all() else range(truth.shape[1])
    one_sided = any(truth[:, place].min() == truth[:, place].max() for place in classes)
    areas, precisions = (
        np.nan if one_sided else float(np.mean([score(truth[:, place], probability[:, place]) for place in classes]))
        for score in (roc_auc_score, average_precision_score)
    )
    reason = "a class holds for all examples or for none"
    how = "mean over classes, one against the rest" if len(classes) > 1 else "of the second class"
    return (
        metric("auc", areas, f"roc_auc_score, {how}", reason=reason),
        metric("average_precision", precisions, f"average_precision_score, {how}", reason=reason),
    )


def calibration_error(right: NDArray[np.bool_], confidence: NDArray[np.float64]) -> float:
    """Return the expected calibration error Σ_b |b|/n · |accuracy(b) − confidence(b)| over bins of equal width.

    Source: Guo et al. 2017, equation 5.

    Args:
        right: whether each prediction is right, [examples].
        confidence: its predicted probability, [examples].
    """
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    count = np.maximum(np.bincount(bins, minlength=BINS), 1)
    gap = np.bincount(bins, weights=right.astype(float), minlength=BINS) - np.bincount(
        bins, weights=confidence, minlength=BINS
    )
    return float(np.abs(gap / count * np.bincount(bins, minlength=BINS)).sum() / max(1, len(right)))
