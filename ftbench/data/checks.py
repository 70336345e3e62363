"""Check a user's data before training: report each kind of flaw with its count, examples and advice."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.splits import check_filled, outline
from ..fingerprint import code_hash, core_sha256, digest, remembered
from ..records.data_check import SEVERITIES, Flaw
from .label_checks import SHOWN, CheckedRows, label_flaws
from .reading.row_places import RowPlaces
from .splitting import SPLITS
from .unread_files import unread_flaws
from .user_classification import UserClassification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..api.backbone import Backbone
    from ..api.splits import Splits
    from .user_data import UserData

BATCH = 1_000
"""Number of rows inspected together."""
MAX_ROWS = 100_000
"""Largest number of rows of a split to inspect; splits are in random order."""
MAX_IMBALANCE = 10.0
"""Largest ratio of the largest to the smallest class that is not reported."""
UNEQUAL = "classes of very different size"
"""Kind of the flaw that the classes differ more than that."""
BALANCED_METRIC = "macro_f1"
"""Deciding metric to use then: every class counts equally."""
MAX_DISTANCE = 3.0
"""Largest mean distance of two sketches of numbers from 0 to 255 that count as close."""
MAX_CUT_OFF = 0.05
"""Largest share of truncated inputs that is not reported."""


@dataclass(frozen=True)
class Inspected:
    """Result of inspecting one input."""

    exact: str
    """Key that is equal for identical inputs; empty for an input that is not compared."""
    near: tuple[str, ...]
    """Keys of which at least one is equal for near duplicates."""
    sketch: bytes = b""
    """Bytes that are close for near duplicates, if equal keys are not enough; the same length for all inputs."""
    problems: tuple[str, ...] = ()
    """Names of the problems of this input; see `Inspectable.advice`."""
    cut_off: bool = False
    """Whether encoding truncates it."""


class Inspectable(CheckedRows):
    """A task on a user's own data whose inputs can be inspected one by one."""

    def prepare_inspection(self, backbone: Backbone) -> None:
        """Take what `inspect` needs to know of the backbone; by default nothing."""

    @abstractmethod
    def inspect(self, inputs: Sequence[Mapping[str, Any]], processor: Any) -> list[Inspected]:
        """Inspect inputs as `processor` reads them; an unreadable file is a problem in the result, not an exception.

        Args:
            inputs: rows with the cells of their inputs and their label.
            processor: the backbone's processor.
        """


def check_data(task: Inspectable, backbone: Backbone, split_seed: int, options: Mapping[str, Any]) -> list[Flaw]:
    """Check the data of a task; the result is cached until the data, the options or the code change.

    Args:
        task: the task; at most `MAX_ROWS` rows of each split are inspected.
        backbone: its processor reads the inputs.
        split_seed: seed of the splits.
        options: options of the task, as JSON values.

    Returns:
        The flaws, most severe first.

    Raises:
        UserError: the data cannot be read or divided.
    """
    identity = [
        task.fingerprint(),
        options,
        backbone.fingerprint(),
        split_seed,
        code_hash([type(task), type(backbone)]),
        core_sha256(),
    ]

    def look() -> list[dict[str, Any]]:
        splits = task.splits(split_seed)
        check_filled(splits)
        places = RowPlaces(task)
        found = [*label_flaws(task, splits, places), *_classes(task, splits)]
        task.prepare_inspection(backbone)
        found += _inputs(task, splits, backbone.load_processor(), places)
        return [asdict(flaw) for flaw in sorted(found, key=lambda flaw: SEVERITIES.index(flaw.severity))]

    known = remembered("data", digest(identity), look)
    # Files that are not read are in no fingerprint.
    found = [*unread_flaws(task), *(Flaw(**{**flaw, "examples": tuple(flaw["examples"])}) for flaw in known)]
    return sorted(found, key=lambda flaw: SEVERITIES.index(flaw.severity))


# -- classes -----------------------------------------------------------------------------------------------------------


def _classes(task: UserData, splits: Splits[Any]) -> Iterator[Flaw]:
    """Check the distribution of the classes over the splits."""
    if not isinstance(task, UserClassification):
        return
    counts = {
        name: np.bincount(np.array(outline(splits[name])[1], np.int64), minlength=len(task.classes)) for name in SPLITS
    }
    unseen = [task.classes[index] for index in np.flatnonzero((counts["train"] == 0) & (counts["test"] > 0))]
    if unseen:
        yield Flaw(
            "error",
            "class in the test split only",
            len(unseen),
            tuple(map(repr, unseen[:SHOWN])),
            "it cannot be learnt; divide the data differently",
        )
    untested = [task.classes[index] for index in np.flatnonzero((counts["train"] > 0) & (counts["test"] == 0))]
    if untested:
        yield Flaw(
            "warning",
            "class not in the test split",
            len(untested),
            tuple(map(repr, untested[:SHOWN])),
            "it is not evaluated",
        )
    empty = [task.classes[index] for index in np.flatnonzero(sum(counts.values()) == 0)]
    if empty:
        yield Flaw(
            "warning",
            "class without examples",
            len(empty),
            tuple(map(repr, empty[:SHOWN])),
            "remove it from `labels`, or add examples",
        )
    if ends := unequal_classes(task, splits):
        advice = f'decide by macro F1 rather than accuracy: metric = "{BALANCED_METRIC}" in [[task]]'
        yield Flaw("warning", UNEQUAL, int((counts["train"] > 0).sum()), ends, advice)


def unequal_classes(task: UserClassification, splits: Splits[Any]) -> tuple[str, ...]:
    """Return the largest and the smallest class that is trained on, with their numbers of training examples.

    Empty if the larger one has at most `MAX_IMBALANCE` times as many.
    """
    counts = Counter(outline(splits["train"])[1])
    ends = [index(sorted(counts), key=counts.__getitem__) for index in (max, min)] if counts else []
    if not ends or counts[ends[0]] / counts[ends[1]] <= MAX_IMBALANCE:
        return ()
    return tuple(f"{task.classes[label]!r} {counts[label]:,}" for label in ends)


# -- inputs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """One inspected row."""

    split: str
    key: str
    number: int
    label: int


def _inputs(task: Inspectable, splits: Splits[Any], processor: Any, places: RowPlaces) -> Iterator[Flaw]:
    """Inspect every input once, and compare all inputs."""
    exact: dict[str, list[_Row]] = defaultdict(list)
    near: dict[str, list[tuple[_Row, bytes]]] = defaultdict(list)
    problems: dict[str, list[_Row]] = defaultdict(list)
    cut_off, total = 0, 0
    for row, inspected in _inspected_rows(task, splits, processor):
        total += 1
        cut_off += inspected.cut_off
        for problem in inspected.problems:
            problems[problem].append(row)
        if inspected.exact:
            exact[inspected.exact].append(row)
            for key in inspected.near:
                near[key].append((row, inspected.sketch))
    for problem, rows in problems.items():
        severity, advice = task.advice_on(problem, len(rows) / total)
        first = sorted((row.key, row.number) for row in rows)[:SHOWN]
        yield Flaw(severity, problem, len(rows), tuple(places.of(*row) for row in first), advice)
    yield from _duplicates(exact.values(), _near_duplicates(near.values()), places)
    if total and cut_off / total > MAX_CUT_OFF:
        advice = "shorten them, or raise the limit"
        yield Flaw("warning", "inputs are cut off", cut_off, (f"{100 * cut_off / total:.1f} % of {total:,}",), advice)


def _inspected_rows(task: Inspectable, splits: Splits[Any], processor: Any) -> Iterator[tuple[_Row, Inspected]]:
    for name in SPLITS:
        rows = splits[name][:MAX_ROWS]
        for begin in range(0, len(rows), BATCH):
            examples = rows[begin : begin + BATCH]
            found = task.inspect(task.cells(examples, task.label_columns()), processor)
            inspected = (_Row(name, example.value[0], example.value[1], example.label) for example in examples)
            yield from zip(inspected, found, strict=True)


def _near_duplicates(groups: Iterable[Sequence[tuple[_Row, bytes]]]) -> list[list[_Row]]:
    """Return groups of rows that share a key and have close sketches; each group once."""
    found: dict[tuple[_Row, ...], list[_Row]] = {}
    for group in groups:
        for members in _clusters(group) if len(group) > 1 else ():
            found.setdefault(tuple(members), members)
    return list(found.values())


def _clusters(group: Sequence[tuple[_Row, bytes]]) -> list[list[_Row]]:
    """Assign each member to the first cluster whose head is close; return clusters of more than one."""
    sketches = np.stack([np.frombuffer(sketch, np.uint8) for _, sketch in group]).astype(np.int16)
    heads: list[int] = []
    clusters: list[list[_Row]] = []
    for index, (row, sketch) in enumerate(group):
        distances = np.abs(sketches[heads] - sketches[index]).mean(1) if sketch else np.zeros(len(heads))
        near = np.flatnonzero(distances <= MAX_DISTANCE)
        if len(near):
            clusters[near[0]].append(row)
        else:
            heads.append(index)
            clusters.append([row])
    return [members for members in clusters if len(members) > 1]


def _duplicates(exact: Iterable[Sequence[_Row]], near: Iterable[Sequence[_Row]], places: RowPlaces) -> Iterator[Flaw]:
    """Report repeated inputs: across splits, within a split, and with different classes."""

    def examples(groups: Sequence[Sequence[_Row]]) -> tuple[str, ...]:
        return tuple(
            " = ".join(f"{places.of(row.key, row.number)} ({row.split})" for row in group[:2])
            for group in groups[:SHOWN]
        )

    same = [group for group in exact if len(group) > 1]
    leaks = [group for group in same if _across(group)]
    if leaks:
        advice = "the test split must not contain training data; remove them, or group the rows"
        yield Flaw("error", "same input in two splits", _surplus(leaks), examples(leaks), advice)
    known = {row for group in leaks for row in group}
    near_leaks = [group for group in near if _across([row for row in group if row not in known])]
    if near_leaks:
        yield Flaw(
            "warning",
            "nearly the same input in two splits",
            _surplus(near_leaks),
            examples(near_leaks),
            "group related rows",
        )
    if same:
        yield Flaw(
            "note",
            "same input more than once",
            _surplus(same),
            examples(same),
            "repeated rows weigh more; remove them unless this is intended",
        )
    contradictory = [group for group in same if len({row.label for row in group}) > 1]
    if contradictory:
        yield Flaw(
            "warning",
            "same input with different labels",
            len(contradictory),
            examples(contradictory),
            "no model can predict both; correct the labels",
        )


def _across(group: Sequence[_Row]) -> bool:
    return len({row.split for row in group}) > 1


def _surplus(groups: Sequence[Sequence[_Row]]) -> int:
    """Return the number of rows beyond the first of each group."""
    return sum(len(group) - 1 for group in groups)
