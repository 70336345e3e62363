"""Compute again every score that follows from the predictions of a trial, and name those that a record contradicts."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..api.metrics import BINS, calibration_error, label_scores, number_scores
from ..api.task_kinds import of_class
from .text_scores import text_scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ..api.measurement import Measurement
    from ..records.record import Record

    Line = Mapping[str, Any]
    Rows = NDArray[np.float64]

_EXACT = 1e-9
"""Largest relative difference of a score that follows exactly; other libraries may round its last bits differently."""
_DIGITS = 6e-7
"""Largest error of a kept probability or number: half of its last digit, and a little more for its binary form."""
_ZERO = "; 0 where undefined"
"""End of the method of scores for which a class without predictions counts as 0."""


class Bounds(NamedTuple):
    """What a score may be, given its predictions."""

    low: float
    high: float

    @property
    def shown(self) -> str:
        """The bounds in words."""
        return (
            f"{self.low:.6g}"
            if math.isclose(self.low, self.high, rel_tol=1e-6)
            else f"{self.low:.6g} to {self.high:.6g}"
        )


def contradictions(record: Record, lines: Sequence[Line], skipped: Sequence[str] = ()) -> Iterator[str]:
    """Yield a sentence for each score of a record that does not follow from its predictions.

    Args:
        record: a record with the status `ok`.
        lines: its predictions, as they are kept.
        skipped: names of scores that were found wrong before.
    """
    by_task: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_task[str(line.get("task", ""))].append(line)
    labels = [stage["task"]["label"] for stage in record.trial["stages"]]
    several = len(labels) > 1
    if missing := [label for label in labels if label not in by_task]:
        yield f"has no predictions on {', '.join(missing)}"
    for label in (label for label in labels if label in by_task):
        examples, task = by_task[label], label if several else ""
        measured = {m.name: m for m in record.measurements if m.task == task and m.scope == "test"}
        found = scores_of(examples, measured, record.classes.get(label, ()))
        where = f" on {label}" if several else ""
        for name, bounds in found.items():
            value = measured[name].value if name in measured and name not in skipped else None
            if value is not None and not _within(value, bounds):
                shown = name.replace("_", " ")
                yield f"{shown}{where} is {value:.6g}, but its predictions give {bounds.shown}"
        yield from _matrix(record, label, examples, where)
    if several:
        yield from _sequence(record, labels)


def _within(value: float, bounds: Bounds) -> bool:
    slack = _EXACT * max(1.0, abs(value))
    return bounds.low - slack <= value <= bounds.high + slack


def scores_of(
    examples: Sequence[Line], measured: Mapping[str, Measurement], classes: Sequence[str]
) -> dict[str, Bounds]:
    """Return the scores of one task that follow from its examples.

    Args:
        examples: at least one.
        measured: the scores of the record by name, whose methods say how scores of texts were computed.
        classes: names of the classes; empty if it has none.
    """
    first = examples[0]
    said, right = first.get("prediction"), first.get("label")
    if _is_whole(said) and _is_whole(right) and isinstance(first.get("probabilities"), list):
        return {**_classes(examples, measured), **_one_class(examples, measured, classes)}
    if isinstance(first.get("probabilities"), list) and isinstance(right, list):
        return {**_label_sets(examples), **_one_class(examples, measured, classes)}
    if isinstance(said, float) and isinstance(right, float):
        return _numbers(examples)
    return {name: Bounds(value, value) for name, value in text_scores(examples, measured).items()}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _valued(measurements: Sequence[Measurement]) -> dict[str, float]:
    return {m.name: m.value for m in measurements if m.value is not None}


# ---- classes and sets of classes -------------------------------------------------------------------------------------


def _classes(examples: Sequence[Line], measured: Mapping[str, Measurement]) -> dict[str, Bounds]:
    """Return the scores of answers of one class each."""
    truth, said = (np.array([example[key] for example in examples], int) for key in ("label", "prediction"))
    kept = np.array([example["probabilities"] for example in examples], float)
    if kept.shape[1] <= max(truth.max(), said.max()) or min(truth.min(), said.min()) < 0:
        message = "a class of an item has no probability"
        raise ValueError(message)
    rows, most = np.arange(len(said)), kept.max(1)
    found = _counted(truth, said, kept.shape[1], measured)
    if (kept[rows, said] < most - 2 * _DIGITS).any():
        found["accuracy"] = Bounds(math.nan, math.nan)  # a prediction is not the likeliest class
    with np.errstate(divide="ignore"):
        low, high = (-np.log(np.clip(kept[rows, truth] + shift, 0, 1)).mean() for shift in (_DIGITS, -_DIGITS))
    error = calibration_error(truth == said, most)
    # An item near the edge of a bin may have been in the next one.
    near = (np.abs(most * BINS - np.round(most * BINS)) < 2 * BINS * _DIGITS).sum()
    slack = float(2 * near / len(said) + 4 * _DIGITS)
    return {
        **found,
        **_areas(np.eye(kept.shape[1])[truth], kept),
        "calibration_error": Bounds(error - slack, error + slack),
        "loss": Bounds(float(low), float(high)),
    }


def _counted(
    truth: NDArray[np.int64], said: NDArray[np.int64], classes: int, measured: Mapping[str, Measurement]
) -> dict[str, Bounds]:
    """Return the scores that follow from how often each class was right, predicted and true."""
    matrix = np.bincount(truth * classes + said, minlength=classes**2).reshape(classes, classes).astype(float)
    right, predicted, true = np.diag(matrix), matrix.sum(0), matrix.sum(1)
    present = predicted + true > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall, f1 = right / predicted, right / true, 2 * right / (predicted + true)
    spread = (len(truth) ** 2 - (predicted**2).sum()) * (len(truth) ** 2 - (true**2).sum())
    joint = right.sum() * len(truth) - (predicted * true).sum()
    found = {
        "accuracy": right.sum() / len(truth),
        "micro_f1": right.sum() / len(truth),
        "balanced_accuracy": np.nanmean(recall),
        "macro_f1": f1[present].mean(),
        "weighted_f1": (true * np.nan_to_num(f1)).sum() / true.sum(),
        "mcc": joint / math.sqrt(spread) if spread > 0 else 0.0,
    }
    for name, shares in (("precision", precision), ("recall", recall)):
        # Earlier versions left classes out for which the share is undefined; the method says which one it was.
        zero = name in measured and measured[name].method.endswith(_ZERO)
        found[name] = np.nan_to_num(shares[present]).mean() if zero else np.nanmean(shares)
    return {name: Bounds(float(value), float(value)) for name, value in found.items()}


def _label_sets(examples: Sequence[Line]) -> dict[str, Bounds]:
    """Return the scores of answers of any of several classes."""
    kept = np.array([example["probabilities"] for example in examples], float)
    truth, said = (np.zeros(kept.shape, int) for _ in range(2))
    for row, example in enumerate(examples):
        truth[row, example["label"]] = 1
        said[row, example["prediction"]] = 1
    found = _valued(label_scores(truth, said.astype(float)))
    likelihood = np.where(truth == 1, kept, 1 - kept)
    low, high = (-np.log(np.clip(likelihood + shift, 1e-12, 1)).mean() for shift in (_DIGITS, -_DIGITS))
    exact = {name: Bounds(value, value) for name, value in found.items()}
    return {**exact, **_areas(truth, kept), "loss": Bounds(float(low), float(high))}


def _areas(truth: NDArray[Any], kept: Rows) -> dict[str, Bounds]:
    """Return the bounds of scores of ranks: with all rounding errors against, and for, the true classes."""
    classes = [1] if truth.shape[1] == 2 and (truth.sum(1) == 1).all() else range(truth.shape[1])
    if any(truth[:, place].min() == truth[:, place].max() for place in classes):
        return {}
    ends = [
        np.mean([_ranked(truth[:, place] == 1, kept[:, place], shift) for place in classes], axis=0)
        for shift in (-_DIGITS, _DIGITS)
    ]
    return {
        name: Bounds(float(ends[0][n]) - _EXACT, float(ends[1][n]) + _EXACT)
        for n, name in enumerate(("auc", "average_precision"))
    }


def _ranked(positive: NDArray[np.bool_], score: Rows, shift: float) -> tuple[float, float]:
    """Return area under the ROC curve and average precision with the scores of positives moved up by twice `shift`."""
    order = np.lexsort((np.where(positive, -np.sign(shift), 0), -(score + 2 * shift * positive)))
    hits = positive[order]
    above = np.cumsum(hits)
    places = np.flatnonzero(hits) + 1
    pairs = positive.sum() * (~positive).sum()
    below = (len(hits) - places) - (positive.sum() - above[places - 1])
    return float(below.sum() / pairs), float((above[places - 1] / places).mean())


def _one_class(
    examples: Sequence[Line], measured: Mapping[str, Measurement], classes: Sequence[str]
) -> dict[str, Bounds]:
    """Return the scores of one class, such as `recall[spam]`, that were measured."""
    from ..training.contributions import class_score

    asked = {name: one for name in measured if (one := of_class(name)) and one[1] in classes}
    found = _valued([class_score(classes, examples, *one) for one in asked.values()])
    return {name: Bounds(value, value) for name, value in found.items()}


def _numbers(examples: Sequence[Line]) -> dict[str, Bounds]:
    """Return the scores of numbers, within what the rounding of the kept predictions can change."""
    truth, said = (np.array([example[key] for example in examples], float) for key in ("label", "prediction"))
    slack = {**dict.fromkeys(("mean_absolute_error", "root_mean_squared_error"), _DIGITS), **_rounding(truth, said)}
    found = _valued(number_scores(truth, said))
    return {name: Bounds(value - slack[name], value + slack[name]) for name, value in found.items()}


def _rounding(truth: Rows, said: Rows) -> dict[str, float]:
    """Return by how much rounding of predictions can change correlations and R²; both arrays of shape [examples].

    A vector of norm a, changed by one of norm b, moves by at most 2b/a when it is scaled to a unit vector, and a
    correlation is the product of two unit vectors.
    """
    from scipy.stats import rankdata

    ordered, ranks = np.sort(said), rankdata(said)
    near = np.searchsorted(ordered, said + 2 * _DIGITS, "right") - np.searchsorted(ordered, said - 2 * _DIGITS, "left")
    moved = {"pearson": (_DIGITS * math.sqrt(len(said)), said), "spearman": (float(np.linalg.norm(near - 1)), ranks)}
    spread, missed = ((truth - truth.mean()) ** 2).sum(), np.abs(truth - said).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        turned = {name: 2 * change / np.linalg.norm(of - of.mean()) + _EXACT for name, (change, of) in moved.items()}
        explained = (2 * _DIGITS * missed + len(said) * _DIGITS**2) / spread
    return {name: float(np.nan_to_num(value, nan=2.0)) for name, value in {**turned, "r2": explained + _EXACT}.items()}


# ---- what else follows -----------------------------------------------------------------------------------------------


def _matrix(record: Record, label: str, examples: Sequence[Line], where: str) -> Iterator[str]:
    """Check the confusion matrix of a task."""
    matrix = record.confusion.get(label)
    if matrix is None:
        return
    pairs = [(example.get("label"), example.get("prediction")) for example in examples]
    if not all(_is_whole(right) and _is_whole(said) for right, said in pairs):
        return
    found = [[0] * len(matrix) for _ in matrix]
    for right, said in pairs:
        if not (0 <= right < len(matrix) and 0 <= said < len(matrix)):  # type: ignore[operator]  # whole numbers
            yield f"an item{where} has a class that the confusion matrix does not have"
            return
        found[right][said] += 1  # type: ignore[index]  # whole numbers
    if found != [list(row) for row in matrix]:
        yield f"the confusion matrix{where} does not follow from its predictions"


def _sequence(record: Record, labels: Sequence[str]) -> Iterator[str]:
    """Check the scores of a sequence, which follow from those of its tasks and from its matrix."""
    from ..training.trial_outcome import sequence_measurements

    last = [record.measurement(record.primary, label) for label in labels]
    whole = record.measurement(record.primary)
    if whole is None or whole.value is None or any(one is None or one.value is None for one in last):
        return
    values = [one.value for one in last if one is not None and one.value is not None]
    if record.retention is None or [*record.retention.matrix[-1]] != values:
        yield f"the last row of its retention is not the {record.primary.replace('_', ' ')} of its tasks"
        return
    found = sequence_measurements([list(row) for row in record.retention.matrix], whole)
    for name, value in _valued(found).items():
        recorded = record.measurement(name)
        if recorded is None or recorded.value is None or not _within(recorded.value, Bounds(value, value)):
            shown = "null" if recorded is None or recorded.value is None else f"{recorded.value:.6g}"
            yield f"{re.sub('_', ' ', name)} is {shown}, but its tasks give {value:.6g}"
