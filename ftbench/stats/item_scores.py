"""What each test item adds to a trial's score, read from the predictions that are kept beside its record."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunError
from ..files import MIB, parse_json
from ..records.predictions import PREDICTIONS
from .crossed import Crossed, clustered, crossed
from .estimates import ALPHA, CLAIM, Interval, NewItems, half_width, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..records.record import Record
    from .estimates import Difference, Estimate

LONGEST, LARGEST = 4 * MIB, 512 * MIB
"""Bytes of a line of predictions, and of all of them, unpacked."""
COUNTED = ("accuracy", "exact_match")
"""Scores that are the share of examples whose prediction is their label, where an example says nothing else of them."""


_CONTRADICTION = "does not come to the score"
_NO_GROUPS = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Items:
    """What each test item adds to one trial's score: the mean over items is the score."""

    metric: str
    """The score."""
    key: str
    """Hash of the items' ids in their order: equal for trials that were tested on the same items."""
    values: NDArray[np.float64]
    """Shape [items]."""
    groups: NDArray[np.int64] = field(default_factory=_NO_GROUPS.copy)
    """What each item belongs to, such as a speaker, numbered, shape [items]; empty where every item stands for itself."""
    largest: float = 1.0
    """The largest score of an item, 1 for shares; 0 where there is none that is known."""


def items_of(run: Path) -> Callable[[Record], Items | str]:
    """Give what reads the items of a trial in a run directory; see `read_items`."""
    return lambda record: read_items(run / "trials" / record.id / record.environment / PREDICTIONS, record)


def read_predictions(path: Path) -> list[dict[str, Any]] | str:
    """Read a trial's predictions, a mapping an item; a sentence where they cannot be."""
    found, left = [], LARGEST
    try:
        if not path.is_file():
            return "the predictions are not kept"
        with gzip.open(path, "rb") as stream:
            # No line is held whole before it is known to be short: a small file may unpack to any size.
            while line := stream.readline(min(LONGEST, left) + 1):
                left -= len(line)
                if len(line) > LONGEST or left < 0:
                    return "the predictions are larger than any test split's"
                found.append(parse_json(line, str(path)))
    except (OSError, EOFError, zlib.error, RunError):
        return "the predictions cannot be read"
    return found if all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in found) else "the predictions cannot be read"


def read_items(path: Path, record: Record) -> Items | str:
    """Read what each test item adds to the primary score of a trial; a sentence why not where that is not known.

    An example's line holds it under the name of the score. Where it does not, and the score is the share of right answers, it is
    whether the prediction is the label. The score of a sequence is the mean over its tasks, each of which has its own items.

    Args:
        path: the predictions, a JSON line each.
        record: of the trial.
    """
    lines = read_predictions(path)
    if isinstance(lines, str):
        return lines
    by_task: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        by_task[str(line.get("task", ""))].append(line)
    several = len(record.trial["stages"]) > 1
    parts, largest = [], 1.0
    for task, examples in by_task.items():
        measured = record.measurement(record.primary, task if several else "")
        if measured is None or measured.value is None:
            return f"{record.primary.replace('_', ' ')} has no value"
        values = _values(examples, record.primary, measured.value)
        if isinstance(values, str):
            return values
        parts.append((values, measured.value))
        largest = min(largest, float(measured.unit == "1"))
    if not parts:
        return "no test item is kept"
    count, score = sum(len(values) for values, _ in parts), float(np.mean([value for _, value in parts]))
    joined = np.concatenate([score + count / (len(parts) * len(values)) * (values - value) for values, value in parts])
    names = "\n".join(f"{task}\0{line['id']}" for task, examples in by_task.items() for line in examples)
    grouped = any("group" in line for line in lines)
    groups = [f"{task}\0{_group(line)}" for task, examples in by_task.items() for line in examples]
    numbered = np.unique(groups, return_inverse=True)[1] if grouped else _NO_GROUPS
    return Items(record.primary, hashlib.sha256(names.encode()).hexdigest()[:16], joined, numbered, largest)


def contradiction(path: Path, record: Record) -> str:
    """Say that a trial's predictions do not come to its primary score; empty where they do, or where that cannot be told.

    It is told of shares of right answers alone, which predictions give to the last bit.

    Args:
        path: the predictions.
        record: of the trial.
    """
    found = read_items(path, record) if record.primary in COUNTED else ""
    return found if isinstance(found, str) and found.endswith(_CONTRADICTION) else ""


def _group(line: Mapping[str, Any]) -> str:
    return f"group {line['group']}" if "group" in line else f"item {line['id']}"


def _values(examples: Sequence[Mapping[str, Any]], metric: str, score: float) -> NDArray[np.float64] | str:
    """Give what each example of one task adds to its score, moved so that the mean is the score to the last bit."""
    named = metric.replace("_", " ")
    counted = metric in COUNTED and not any(metric in example for example in examples)
    if counted and all("label" in example and "prediction" in example for example in examples):
        found = [float(example["label"] == example["prediction"]) for example in examples]
    else:
        found = [float(example[metric]) for example in examples if example.get(metric) is not None]
    if len(found) < len(examples):
        return f"what each example adds to {named} is not known"
    values = np.asarray(found, float)
    # Jackknife pseudo-values have a bias far below one standard error; shares of right answers have none.
    tolerance = 0.0 if counted else float(values.std()) / math.sqrt(len(values))
    if not np.isfinite(values).all() or abs(float(values.mean()) - score) > 1e-6 + tolerance:
        return f"what each example adds to {named} {_CONTRADICTION}"
    moved: NDArray[np.float64] = values + (score - values.mean())
    return moved


def over_items(trials: Sequence[Items], less: Sequence[Items] = ()) -> tuple[Crossed, int, int | None] | str:
    """Give the uncertainty over seeds and items of a score, or of the difference of two scores on the same seeds.

    Args:
        trials: one a seed, in the order of the seeds.
        less: what is subtracted, one a seed; nothing by default.

    Returns:
        It, the number of items, and that of the groups they belong to, if they belong to groups; or a sentence why there is none.
    """
    both = (*trials, *less)
    if len({one.key for one in both}) != 1:
        return "seeds were not tested on the same items"
    scores = np.stack([one.values for one in trials])
    if less:
        scores = scores - np.stack([one.values for one in less])
    items, groups = scores.shape[1], next((one.groups for one in both if one.groups.size), _NO_GROUPS)
    if groups.size:
        scores = clustered(scores, groups)
    if min(scores.shape) < 2:
        return (
            f"{'one group of items' if groups.size else 'one item'} tells nothing of others"
            if scores.shape[0] > 1
            else "one seed has no noise"
        )
    return crossed(scores, both[0].largest), items, scores.shape[1] if groups.size else None


def on_new_items(found: Difference, first: Sequence[Items], second: Sequence[Items], *, lower: bool) -> NewItems | str:
    """Judge a difference over seeds and items; a sentence where that cannot be.

    Its interval is never narrower than that over seeds alone, which has fewer degrees of freedom.

    Args:
        found: the difference over seeds.
        first: of the baseline, one a seed, in the order of the seeds.
        second: of the other.
        lower: whether a lower score is better.
    """
    summed = over_items(second, first)
    if isinstance(summed, str):
        return summed
    over, items, groups = summed
    half_90, half_95 = (max(over.half_width(1 - 2 * alpha), half_width(found.estimate, alpha)) for alpha in (ALPHA, ALPHA / 2))
    verdict = judged(over.mean, half_90, half_95, found.margin, lower=lower) if over.error or not over.mean else "undecided"
    if over.seeds < CLAIM:
        verdict = "too few seeds"
    p = over.p if over.p is None or found.p is None else max(over.p, found.p)
    return NewItems(Interval(found.estimate.mean - half_95, found.estimate.mean + half_95), p, verdict, items, groups)


def interval_over_items(found: Estimate, trials: Sequence[Items]) -> Interval | str:
    """Give the 95 % interval of a score over seeds and items; a sentence where that cannot be. See `on_new_items`."""
    summed = over_items(trials)
    if isinstance(summed, str):
        return summed
    half = max(summed[0].half_width(), half_width(found, ALPHA / 2))
    return Interval(found.mean - half, found.mean + half)
