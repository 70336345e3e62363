"""What is wrong with a user's data: found before anything is trained, counted, with examples and what to do."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..api.augmentation import clean_options
from ..api.splits import check_filled, outline
from ..errors import SuiteError, UserError
from ..fingerprint import code_hash, digest, remembered
from ..suite.trial import TRAINING_VERSION
from .splitting import NAMES
from .user_classification import UserClassification
from .user_data import UserData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..api.backbone import Backbone
    from ..api.catalog import Catalog
    from ..api.splits import Splits
    from ..suite.suite import Suite, TaskChoice

Severity = Literal["error", "warning", "note"]
SHOWN = 3
"""Examples named in a finding."""
PART = 1_000
"""Rows inspected together."""
MOST = 100_000
"""Rows of a split that are looked at; they are in a random order."""
UNEVEN = 10.0
"""How many times as large the largest class may be as the smallest."""
CLOSE = 3.0
"""Mean distance up to which two sketches, of numbers from 0 to 255, are close."""
CUT_OFF = 0.05
"""Share of inputs that may be cut off unmentioned."""
SAME = (
    {"y", "yes", "true", "1"},
    {"n", "no", "false", "0"},
    {"pos", "positive"},
    {"neg", "negative"},
    {"neu", "neutral"},
)
"""Spellings that mean the same."""


@dataclass(frozen=True)
class Flaw:
    """One kind of defect of a data set."""

    severity: Severity
    """`error`: what is trained on it means nothing, or training fails. `warning`: numbers are misleading. `note`: worth knowing."""
    kind: str
    """Its name."""
    count: int
    """How many rows, pairs or classes have it."""
    examples: tuple[str, ...]
    """Some of them."""
    advice: str
    """What to do."""


@dataclass(frozen=True)
class Inspected:
    """What looking at one input tells."""

    exact: str
    """Equal for inputs that are the same."""
    near: tuple[str, ...]
    """One of these is equal for inputs that are the same but for what hardly matters."""
    sketch: bytes = b""
    """Small numbers that are close for such inputs, where equal keys do not prove it; of one length for all inputs."""
    problems: tuple[str, ...] = ()
    """Names of what is wrong with it alone; see `Inspectable.advice`."""
    cut_off: bool = False
    """Whether it is longer than what is encoded of it."""


class Inspectable(UserData):
    """A task on a user's own data whose inputs can be looked at one by one."""

    advice: ClassVar[Mapping[str, tuple[Severity, str]]]
    """Problem of an input → its severity, and what to do."""

    @abstractmethod
    def inspect(self, inputs: Sequence[Mapping[str, Any]], processor: Any) -> list[Inspected]:
        """Look at some inputs, as `processor` would read them; a file that cannot be read is a problem, not an exception."""


def check_data(task: Inspectable, backbone: Backbone, split_seed: int, options: Mapping[str, Any]) -> list[Flaw]:
    """Look at a task's data, gravest flaws first; remembered until the data, the options or the code change.

    Args:
        task: whose data are looked at; of a split, `MOST` rows at most.
        backbone: whose processor reads them.
        split_seed: decides the splits.
        options: those of the task, as JSON values.

    Raises:
        UserError: the data cannot be read or divided at all.
    """
    identity = [
        task.fingerprint(),
        options,
        backbone.fingerprint(),
        split_seed,
        code_hash([type(task), type(backbone)]),
        TRAINING_VERSION,
    ]

    def look() -> list[dict[str, Any]]:
        splits = task.splits(split_seed)
        check_filled(splits)
        found = [*_labels(task), *_classes(task, splits), *_inputs(task, splits, backbone.load_processor())]
        rank = {"error": 0, "warning": 1, "note": 2}
        return [asdict(flaw) for flaw in sorted(found, key=lambda flaw: rank[flaw.severity])]

    return [
        Flaw(**{**flaw, "examples": tuple(flaw["examples"])}) for flaw in remembered("data", digest(identity), look)
    ]


# -- labels ------------------------------------------------------------------------------------------------------------------


def _labels(task: UserData) -> Iterator[Flaw]:
    """Look at the column of what is to be answered."""
    empty = {key: np.flatnonzero(task.kinds(table) < 0) for key, table in task.tables.items()}
    rows = [f"{key} row {number + 1}" for key, numbers in empty.items() for number in numbers[:SHOWN]]
    count = sum(len(numbers) for numbers in empty.values())
    if count:
        yield Flaw(
            "warning",
            "label missing",
            count,
            tuple(rows[:SHOWN]),
            "these rows are left out; label them, or remove them",
        )
    for names in spellings(task.classes if isinstance(task, UserClassification) else ()):
        advice = "give one spelling to all, or they are learnt as different classes"
        yield Flaw("error", "label spelled in several ways", len(names), tuple(repr(name) for name in names), advice)


def spellings(names: Iterable[str]) -> list[list[str]]:
    """Group the names that differ in capitals, spaces or signs alone, or are known to mean the same."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        plain = re.sub(r"[\W_]+", "", name.casefold())
        same = next((min(group) for group in SAME if plain in group), plain)
        groups[same or name].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _classes(task: UserData, splits: Splits[Any]) -> Iterator[Flaw]:
    """Look at how the classes lie in the splits."""
    if not isinstance(task, UserClassification):
        return
    counts = {
        name: np.bincount(np.array(outline(splits[name])[1], np.int64), minlength=len(task.classes)) for name in NAMES
    }
    unseen = [task.classes[place] for place in np.flatnonzero((counts["train"] == 0) & (counts["test"] > 0))]
    if unseen:
        yield Flaw(
            "error",
            "class in the test split only",
            len(unseen),
            tuple(map(repr, unseen[:SHOWN])),
            "it cannot be learnt: divide otherwise",
        )
    untested = [task.classes[place] for place in np.flatnonzero((counts["train"] > 0) & (counts["test"] == 0))]
    if untested:
        yield Flaw(
            "warning",
            "class not in the test split",
            len(untested),
            tuple(map(repr, untested[:SHOWN])),
            "nothing is said about it",
        )
    empty = [task.classes[place] for place in np.flatnonzero(sum(counts.values()) == 0)]
    if empty:
        yield Flaw(
            "warning",
            "class without examples",
            len(empty),
            tuple(map(repr, empty[:SHOWN])),
            "take it out of `labels`, or add examples",
        )
    held = counts["train"][counts["train"] > 0]
    if len(held) and held.max() / held.min() > UNEVEN:
        most, least = (
            task.classes[int(place(np.where(counts["train"] > 0, counts["train"], filling)))]
            for place, filling in ((np.argmax, -1), (np.argmin, np.iinfo(np.int64).max))
        )
        examples = (f"{most!r} {held.max():,}", f"{least!r} {held.min():,}")
        yield Flaw(
            "warning", "classes of very different size", len(held), examples, "read macro F1 rather than accuracy"
        )


# -- inputs ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """One row that was looked at."""

    split: str
    id: str
    label: int


def _inputs(task: Inspectable, splits: Splits[Any], processor: Any) -> Iterator[Flaw]:
    """Look at every input once, and compare them all."""
    exact: dict[str, list[_Seen]] = defaultdict(list)
    near: dict[str, list[tuple[_Seen, bytes]]] = defaultdict(list)
    problems: dict[str, list[str]] = defaultdict(list)
    cut_off, total = 0, 0
    for seen, inspected in _each(task, splits, processor):
        total += 1
        cut_off += inspected.cut_off
        for problem in inspected.problems:
            problems[problem].append(seen.id)
        if not inspected.problems:
            exact[inspected.exact].append(seen)
            for key in inspected.near:
                near[key].append((seen, inspected.sketch))
    for problem, ids in problems.items():
        severity, advice = task.advice[problem]
        yield Flaw(severity, problem, len(ids), tuple(ids[:SHOWN]), advice)
    yield from _repeated(exact.values(), _alike(near.values()))
    if total and cut_off / total > CUT_OFF:
        advice = "make them shorter, or allow more"
        yield Flaw("warning", "inputs are cut off", cut_off, (f"{100 * cut_off / total:.1f} % of {total:,}",), advice)


def _each(task: Inspectable, splits: Splits[Any], processor: Any) -> Iterator[tuple[_Seen, Inspected]]:
    for name in NAMES:
        rows = splits[name][:MOST]
        for begin in range(0, len(rows), PART):
            examples = rows[begin : begin + PART]
            found = task.inspect(task.cells(examples), processor)
            yield from zip((_Seen(name, example.id, example.label) for example in examples), found, strict=True)


def _alike(groups: Iterable[Sequence[tuple[_Seen, bytes]]]) -> list[list[_Seen]]:
    """Group what shares a key and has close sketches; each group once."""
    found: dict[tuple[str, ...], list[_Seen]] = {}
    for group in groups:
        for members in _clusters(group) if len(group) > 1 else ():
            found.setdefault(tuple(seen.id for seen in members), members)
    return list(found.values())


def _clusters(group: Sequence[tuple[_Seen, bytes]]) -> list[list[_Seen]]:
    """Put each member to the first one it is close to; gives the clusters of several."""
    sketches = np.stack([np.frombuffer(sketch, np.uint8) for _, sketch in group]).astype(np.int16)
    heads: list[int] = []
    clusters: list[list[_Seen]] = []
    for place, (seen, sketch) in enumerate(group):
        distances = np.abs(sketches[heads] - sketches[place]).mean(1) if sketch else np.zeros(len(heads))
        near = np.flatnonzero(distances <= CLOSE)
        if len(near):
            clusters[near[0]].append(seen)
        else:
            heads.append(place)
            clusters.append([seen])
    return [members for members in clusters if len(members) > 1]


def _repeated(exact: Iterable[Sequence[_Seen]], near: Iterable[Sequence[_Seen]]) -> Iterator[Flaw]:
    """Tell of inputs that stand several times: across splits, within one, and with different classes."""
    same = [group for group in exact if len(group) > 1]
    leaks = [group for group in same if _across(group)]
    if leaks:
        advice = "the test split must hold nothing that was trained on: remove them, or group the rows"
        yield Flaw("error", "same input in two splits", _extra(leaks), _shown(leaks), advice)
    known = {seen.id for group in leaks for seen in group}
    near_leaks = [group for group in near if _across([seen for seen in group if seen.id not in known])]
    if near_leaks:
        yield Flaw(
            "warning",
            "nearly the same input in two splits",
            _extra(near_leaks),
            _shown(near_leaks),
            "group the rows that belong together",
        )
    if same:
        yield Flaw(
            "note",
            "same input more than once",
            _extra(same),
            _shown(same),
            "repeated rows weigh more; remove them if that is not meant",
        )
    torn = [group for group in same if len({seen.label for seen in group}) > 1]
    if torn:
        yield Flaw(
            "warning",
            "same input with different labels",
            len(torn),
            _shown(torn),
            "no model can answer both: correct the labels",
        )


def _across(group: Sequence[_Seen]) -> bool:
    return len({seen.split for seen in group}) > 1


def _extra(groups: Sequence[Sequence[_Seen]]) -> int:
    """Count the rows beyond the first of each group."""
    return sum(len(group) - 1 for group in groups)


def _shown(groups: Sequence[Sequence[_Seen]]) -> tuple[str, ...]:
    return tuple(" = ".join(f"{seen.id} ({seen.split})" for seen in group[:2]) for group in groups[:SHOWN])


# -- a whole suite -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Examined:
    """What was found in the data of one task of a suite."""

    task: str
    """The task's label."""
    flaws: tuple[Flaw, ...]
    """Gravest first."""


def examine(suite: Suite, catalog: Catalog) -> list[Examined]:
    """Look at the data of every task of a suite that a user brought.

    Raises:
        SuiteError: data cannot be read or divided; a line for each task.
    """
    found, mistakes = [], []
    for number, choice in enumerate(suite.tasks, 1):
        try:
            task = catalog.build("tasks", choice.use, choice.options)
            backbone = _backbone_of(task, choice, suite, catalog) if isinstance(task, Inspectable) else None
            if isinstance(task, Inspectable) and backbone is not None:
                flaws = check_data(task, backbone, suite.split_seed, clean_options(task, catalog.options(task)))
                found.append(Examined(choice.label, tuple(flaws)))
        except UserError as error:
            mistakes += [f"{suite.source}: task[{number}]: {mistake}" for mistake in error.mistakes]
    if mistakes:
        raise SuiteError(*mistakes)
    return found


def _backbone_of(task: Any, choice: TaskChoice, suite: Suite, catalog: Catalog) -> Backbone | None:
    """Find the first backbone of the suite that meets the task."""
    for one in suite.backbones:
        backbone: Backbone = catalog.build("backbones", one.use, one.options)
        if one.label in choice.backbones if choice.backbones is not None else backbone.card().modality == task.modality:
            return backbone
    return None
