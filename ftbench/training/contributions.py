"""Measure the deciding metric of a task, and what each example contributes to it, from the predictions of a split."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.metrics import metric
from ..api.task_kinds import ClassificationTask, MultiLabelTask, RegressionTask, has_classes, not_a_score, of_class
from ..errors import UserError
from ..stats.jackknife import DIGITS, f1, macro_f1, pseudo_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..api.measurement import Measurement
    from ..api.task import Scored, Task

    Counted = NDArray[np.float64]
    """Correct, predicted and true examples of each class, shape [m, classes, 3]."""
    Prediction = Mapping[str, Any]
    Sets = tuple[frozenset[int], frozenset[int]]
    """True and predicted classes of an example."""


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole; NaN where the whole is empty."""
    found: NDArray[np.float64] = np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
    return found


def _mean(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the classes that have a share."""
    known = np.isfinite(shares)
    return _share(np.where(known, shares, 0).sum(-1), known.sum(-1))


def _precision(counts: Counted) -> NDArray[np.float64]:
    return _share(counts[..., 0], counts[..., 1])


def _recall(counts: Counted) -> NDArray[np.float64]:
    return _share(counts[..., 0], counts[..., 2])


def _balanced(counts: Counted) -> NDArray[np.float64]:
    return _mean(_recall(counts))


def _macro(score: Callable[[Counted], NDArray[np.float64]]) -> Callable[[Counted], NDArray[np.float64]]:
    """Return the mean of a score over the classes that occur or are predicted; 0 where it is undefined for one."""

    def mean(counts: Counted) -> NDArray[np.float64]:
        present = counts[..., 1:].any(-1)
        return _share(np.where(present, np.nan_to_num(score(counts)), 0).sum(-1), present.sum(-1))

    return mean


def _weighted_f1(counts: Counted) -> NDArray[np.float64]:
    true = counts[..., 2]
    return _share(np.where(true > 0, true * f1(counts), 0).sum(-1), true.sum(-1))


def _micro(score: Callable[[Counted], NDArray[np.float64]]) -> Callable[[Counted], NDArray[np.float64]]:
    """Return a score of the counts summed over the classes."""
    return lambda counts: score(counts.sum(-2))


def _matthews(counts: Counted) -> NDArray[np.float64]:
    """Return Matthews' correlation for several classes (Gorodkin 2004); 0 for a constant answer."""
    correct, predicted, true = np.moveaxis(counts, -1, 0)
    total = true.sum(-1)
    spread = (total**2 - (predicted**2).sum(-1)) * (total**2 - (true**2).sum(-1))
    joint = correct.sum(-1) * total - (predicted * true).sum(-1)
    found: NDArray[np.float64] = np.where(spread > 0, joint / np.sqrt(np.where(spread > 0, spread, 1)), 0.0)
    return found


_SINGLE: Mapping[str, Callable[[Counted], NDArray[np.float64]]] = {
    "balanced_accuracy": _balanced,
    "macro_f1": macro_f1,
    "micro_f1": _micro(f1),
    "weighted_f1": _weighted_f1,
    "precision": _macro(_precision),
    "recall": _macro(_recall),
    "mcc": _matthews,
}
"""Scores of answers of one class each, as `class_scores` defines them, from counts of each class."""
_MULTIPLE: Mapping[str, Callable[[Counted], NDArray[np.float64]]] = {
    "macro_f1": macro_f1,
    "micro_f1": _micro(f1),
    "weighted_f1": _weighted_f1,
    "precision": _micro(_precision),
    "recall": _micro(_recall),
}
"""The same for `label_scores`."""
_ONE_CLASS: Mapping[str, tuple[Callable[[Counted], NDArray[np.float64]], str, str]] = {
    "recall": (_recall, "share of the examples of this class that are predicted as it", "no example has this class"),
    "precision": (_precision, "share of the examples predicted as this class that have it", "it is never predicted"),
    "f1": (f1, "harmonic mean of precision and recall of this class", "it neither occurs nor is predicted"),
}
"""Kind of score of one class → how it follows from the counts, its method, and why it may be undefined."""


def with_deciding_metric(scored: Scored, task: Task, name: str) -> Scored:
    """Return scores in which the deciding metric is measured, and what each example contributes to it where known.

    Raises:
        UserError: the task has no such score, or neither a higher nor a lower value of it is better.
    """
    asked = of_class(name) if has_classes(task) else None
    found = next((m for m in scored.measurements if m.name == name), None)
    if found is None and asked is not None and asked[1] in task.classes:
        found = class_score(task.classes, scored.predictions, *asked)
        scored = replace(scored, measurements=(*scored.measurements, found))
    if found is None or found.direction == "none":
        known = [m.name for m in scored.measurements if m.direction != "none"]
        raise UserError(f"task.metric: {not_a_score(name, known, one_class=has_classes(task))}")
    if any(name in prediction for prediction in scored.predictions):
        return scored
    added = contributions(task, scored.predictions, name, asked)
    if added is None:
        return scored
    lines = tuple({**line, name: value} for line, value in zip(scored.predictions, added, strict=True))
    return replace(scored, predictions=lines)


def class_score(classes: Sequence[str], predictions: Sequence[Prediction], kind: str, name: str) -> Measurement:
    """Measure a score of one class.

    Args:
        classes: names of all classes, in the order of the labels.
        predictions: one mapping per example, with `label` and `prediction`: a class, or a list of classes.
        kind: `recall`, `precision` or `f1`.
        name: name of the class.
    """
    measure, method, undefined = _ONE_CLASS[kind]
    total = _total(Counter(map(_sets, predictions)), len(classes))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(measure(total)[classes.index(name)])
    return metric(f"{kind}[{name}]", value, method, reason=f"class {name!r}: {undefined}")


def contributions(
    task: Task, predictions: Sequence[Prediction], name: str, asked: tuple[str, str] | None
) -> list[float | None] | None:
    """Return what each example contributes to a score, so that the mean is the score; None if that is not known.

    See `ftbench.stats.pseudo_values` for scores that are not means over examples.

    Args:
        task: what was predicted.
        predictions: one mapping per example, as the task's `score` gives them.
        name: name of the score.
        asked: kind and class of a score of one class; None for any other score.
    """
    if asked is not None:
        measure, place = _ONE_CLASS[asked[0]][0], task.classes.index(asked[1])
        return _jackknife(predictions, len(task.classes), lambda counts: measure(counts)[..., place])
    if isinstance(task, ClassificationTask) and name in _SINGLE:
        return _jackknife(predictions, len(task.classes), _SINGLE[name])
    if isinstance(task, MultiLabelTask) and name in _MULTIPLE:
        return _jackknife(predictions, len(task.classes), _MULTIPLE[name])
    if isinstance(task, MultiLabelTask) and name == "hamming_loss":
        return [round(len(true ^ said) / len(task.classes), DIGITS) for true, said in map(_sets, predictions)]
    if isinstance(task, ClassificationTask | MultiLabelTask) and name == "auc":
        return _areas(predictions, task)
    return _of_numbers(predictions, name) if isinstance(task, RegressionTask) else None


# -- counts of classes -------------------------------------------------------------------------------------------------


def _sets(prediction: Prediction) -> Sets:
    true, said = prediction["label"], prediction["prediction"]
    return (frozenset(true), frozenset(said)) if isinstance(true, list) else (frozenset([true]), frozenset([said]))


def _counts(sets: Sets, classes: int) -> Counted:
    """Count one example, shape [classes, 3]."""
    true, said = sets
    found = np.zeros((classes, 3))
    for column, members in enumerate((true & said, said, true)):
        found[list(members), column] = 1
    return found


def _total(sets: Mapping[Sets, int], classes: int) -> Counted:
    return sum((count * _counts(one, classes) for one, count in sets.items()), start=np.zeros((classes, 3)))


def _jackknife(
    predictions: Sequence[Prediction], classes: int, measure: Callable[[Counted], NDArray[np.float64]]
) -> list[float | None]:
    """Return the pseudo-values of a score of counts, as `pseudo_values` does, in memory for one example at a time.

    Examples with the same true and predicted classes have the same pseudo-value, so each pair is computed once.
    """
    sets = list(map(_sets, predictions))
    distinct, count = Counter(sets), len(sets)
    total = _total(distinct, classes)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = measure(total[None])[0]
        values = {
            one: count * whole - (count - 1) * measure((total - _counts(one, classes))[None])[0] for one in distinct
        }
    if count < 2 or not np.isfinite(list(values.values())).all():
        return [None] * count
    return [round(float(values[one]), DIGITS) for one in sets]


# -- ranks and numbers -------------------------------------------------------------------------------------------------


def _areas(predictions: Sequence[Prediction], task: Task) -> list[float | None]:
    """Return the pseudo-values of the area under the ROC curve, averaged over classes as `ranking_scores` does.

    Without one example, the area is the mean placement of the others of its side (DeLong et al. 1988).
    """
    probability = np.array([prediction["probabilities"] for prediction in predictions], float)
    truth = np.stack([_counts(_sets(prediction), probability.shape[1])[:, 2] for prediction in predictions]) > 0
    binary = isinstance(task, ClassificationTask) and truth.shape[1] == 2
    columns, count = [1] if binary else range(truth.shape[1]), len(truth)
    if any(not 2 <= truth[:, column].sum() <= count - 2 for column in columns):
        return [None] * count
    values = np.mean([_area(probability[:, column], truth[:, column]) for column in columns], axis=0)
    return [round(float(value), DIGITS) for value in values]


def _area(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the pseudo-values of the area of one class, shape [examples]; both sides need two examples."""
    placements, count = np.zeros(len(score)), len(score)
    for side in (True, False):
        others = np.sort(score[positive != side])
        below = np.searchsorted(others, score[positive == side], "left")
        up_to = np.searchsorted(others, score[positive == side], "right")
        share = (below + up_to) / (2 * len(others))
        placements[positive == side] = share if side else 1 - share
    area = placements[positive].mean()
    size = np.where(positive, positive.sum(), (~positive).sum())
    without = (size * area - placements) / (size - 1)
    found: NDArray[np.float64] = count * area - (count - 1) * without
    return found


def _of_numbers(predictions: Sequence[Prediction], name: str) -> list[float | None] | None:
    truth, said = (np.array([prediction[key] for prediction in predictions]) for key in ("label", "prediction"))
    error, centred, one = truth - said, truth - truth.mean(), np.ones_like(truth)
    if name == "mean_absolute_error":
        return [round(float(value), DIGITS) for value in np.abs(error)]
    if name == "root_mean_squared_error":
        return pseudo_values(np.stack([error**2, one], axis=1), lambda sums: np.sqrt(sums[:, 0] / sums[:, 1]))
    if name == "r2":
        parts = np.stack([error**2, one, centred, centred**2], axis=1)
        return pseudo_values(parts, lambda sums: 1 - sums[:, 0] / (sums[:, 3] - sums[:, 2] ** 2 / sums[:, 1]))
    return None
