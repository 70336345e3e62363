"""Write and read the predictions of a trial on the test examples, stored next to its record."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import zlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunError
from ..files import MIB, open_file, parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..api.task import Scored, Task
    from ..stats.item_scores import Items
    from .record import Record


PREDICTIONS = "predictions.jsonl.gz"
"""Name of the file."""
FOLDERS = 3
"""Folders above a record and its predictions, up to the run directory: none of them may be a link."""


LONGEST, LARGEST, MOST = 64 * 2**10, 512 * MIB, 1_000_000
"""Maximum unpacked bytes of a line of predictions and of the whole file, and maximum number of lines."""
COUNTED = ("accuracy", "exact_match")
"""Metrics that are the share of examples whose prediction equals the label, unless an example has its own value."""
_MEANS_OVER_CLASSES = ("macro_f1", "balanced_accuracy", "precision", "recall")
"""Scores that weigh every class equally, however few items it has."""
_UNREADABLE = "the predictions cannot be read"
_CONTRADICTION = "does not add up to the score"


def write_predictions(path: Path, scored: Mapping[str, Scored], tasks: Mapping[str, Task]) -> None:
    """Write one JSON line per example, with its group if it has one; the same predictions give the same bytes."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
        for label, one in scored.items():
            groups = tasks[label].groups([prediction["id"] for prediction in one.predictions]) or [None] * len(
                one.predictions
            )
            for prediction, group in zip(one.predictions, groups, strict=True):
                line = {"task": label, **prediction, **({} if group is None else {"group": group})}
                stream.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def items_of(run: Path) -> Callable[[Record], Items | str]:
    """Return a function that reads the items of a trial in a run directory; see `read_items`."""
    return lambda record: read_items(run.joinpath("trials", record.id, record.environment, PREDICTIONS), record)


def unpacked_size(path: Path) -> int:
    """Return the size in bytes that a file of predictions declares; `read_predictions` reads no more.

    It is in the last four bytes of a gzip file, modulo 2³² (RFC 1952); 0 if the file is another one.

    Raises:
        FileNotFoundError: there is no such file.
        RunError: it is not a regular file.
    """
    with open_file(path, FOLDERS) as stream:
        if stream.read(2) != b"\x1f\x8b":
            return 0
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 4))
        return int.from_bytes(stream.read(), "little")


def read_predictions(path: Path, keep: Collection[str] | None = None) -> list[dict[str, Any]] | str:
    """Return a trial's predictions, a mapping per item; if they cannot be read, return the reason as a sentence.

    Args:
        path: the file.
        keep: names of the entries to keep; by default all.

    Raises:
        RunError: the file is a link, or not a regular file.
    """
    found: list[dict[str, Any]] = []
    try:
        packed, declared = open_file(path, FOLDERS), unpacked_size(path)
    except FileNotFoundError:
        return "the predictions were not kept"
    left = min(LARGEST, declared)
    try:
        with packed, gzip.open(packed, "rb") as stream:
            # A small file may unpack to any size, so limit every line before it is read.
            while line := stream.readline(min(LONGEST, left) + 1):
                left -= len(line)
                if len(line) > LONGEST or len(found) == MOST or left < 0 <= declared - LARGEST:
                    return "the predictions are larger than any test split's"
                one = parse_json(line, str(path))
                if left < 0 or not isinstance(one, dict) or not isinstance(one.get("id"), str):
                    return _UNREADABLE
                found.append(one if keep is None else {name: one[name] for name in keep if name in one})
    except (OSError, EOFError, zlib.error, RunError):
        return _UNREADABLE
    return found


def read_items(path: Path, record: Record) -> Items | str:
    """Return what each test item contributes to a trial's primary score; if unknown, return the reason as a sentence.

    The contribution is in the example's line, under the name of the score. If it is missing and the score is the
    share of correct predictions, the contribution is whether the prediction equals the label. The score of a
    sequence is the mean over its tasks, each of which has its own items.

    Args:
        path: the predictions, one JSON line per example.
        record: the trial's record.
    """
    lines = read_predictions(path, ("task", "id", "group", "label", "prediction", record.primary))
    if isinstance(lines, str):
        return lines
    by_task: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        by_task[str(line.get("task", ""))].append(line)
    several = len(record.trial["stages"]) > 1
    parts, largest = [], []
    for task, examples in by_task.items():
        measured = record.measurement(record.primary, task if several else "")
        if measured is None or measured.value is None:
            return f"{record.primary.replace('_', ' ')} has no value"
        values = _values(examples, record.primary, measured.value)
        if isinstance(values, str):
            return values
        parts.append((values, measured.value))
        classes = record.classes.get(task, ())
        largest.append(_largest(examples, record.primary, classes) if measured.unit == "1" else 0.0)
    if not parts:
        return "no test item was kept"
    from ..stats.item_scores import NO_GROUPS, Items

    count, score = sum(len(values) for values, _ in parts), float(np.mean([value for _, value in parts]))
    joined = np.concatenate([score + count / (len(parts) * len(values)) * (values - value) for values, value in parts])
    names = "\n".join(f"{task}\0{line['id']}" for task, examples in by_task.items() for line in examples)
    grouped = any("group" in line for line in lines)
    groups = [f"{task}\0{_group(line)}" for task, examples in by_task.items() for line in examples]
    numbered = np.unique(groups, return_inverse=True)[1] if grouped else NO_GROUPS
    bound = max(largest) if all(largest) else 0.0
    return Items(record.primary, hashlib.sha256(names.encode()).hexdigest()[:16], joined, numbered, bound)


def contradiction(path: Path, record: Record) -> str:
    """Return a sentence if a trial's predictions contradict its primary score; otherwise an empty text.

    Only shares of correct predictions are checked, because predictions reproduce them to the last bit.

    Args:
        path: the predictions.
        record: the trial's record.
    """
    found = read_items(path, record) if record.primary in COUNTED else ""
    return found if isinstance(found, str) and found.endswith(_CONTRADICTION) else ""


def _largest(examples: Sequence[Mapping[str, Any]], metric: str, classes: Sequence[str]) -> float:
    """Return how much an item can contribute to a share: more than 1 if few items decide, as in a rare class."""
    from ..api.task_kinds import of_class

    asked = of_class(metric)
    if asked is not None and asked[1] in classes:
        place = classes.index(asked[1])
        sides = {"recall": ("label",), "precision": ("prediction",)}.get(asked[0], ("label", "prediction"))
        members = sum(any(place in _members(example.get(side)) for side in sides) for example in examples)
        return len(examples) / max(1, members)
    if metric in _MEANS_OVER_CLASSES:
        sizes = Counter(one for example in examples for one in _members(example.get("label")))
        return max(1.0, len(examples) / (len(sizes) * min(sizes.values()))) if sizes else 1.0
    return 1.0


def _members(classes: object) -> list[int]:
    """Return the classes of an example; none if it has no classes."""
    return [one for one in (classes if isinstance(classes, list) else [classes]) if isinstance(one, int)]


def _group(line: Mapping[str, Any]) -> str:
    return f"group {line['group']}" if "group" in line else f"item {line['id']}"


def _values(examples: Sequence[Mapping[str, Any]], metric: str, score: float) -> NDArray[np.float64] | str:
    """Return each example's contribution to its task's score, shifted so that the mean is exactly the score."""
    named = metric.replace("_", " ")
    counted = metric in COUNTED and not any(metric in example for example in examples)
    if counted and all("label" in example and "prediction" in example for example in examples):
        found = [float(example["label"] == example["prediction"]) for example in examples]
    else:
        found = [float(example[metric]) for example in examples if example.get(metric) is not None]
    if len(found) < len(examples):
        return f"what each example contributes to {named} is not known"
    values = np.asarray(found, float)
    # Jackknife pseudo-values have a bias far below one standard error; shares of correct predictions have none.
    tolerance = 0.0 if counted else float(values.std()) / math.sqrt(len(values))
    if not np.isfinite(values).all() or abs(float(values.mean()) - score) > 1e-6 + tolerance:
        return f"what each example contributes to {named} {_CONTRADICTION}"
    shifted: NDArray[np.float64] = values + (score - values.mean())
    return shifted
