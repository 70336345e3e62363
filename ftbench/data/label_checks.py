"""Check labels before training: spellings of class names, and every row's label as training will read it."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..api.task_kinds import ClassificationTask, MultiLabelTask
from ..records.data_check import Flaw
from .splitting import SPLITS
from .tables import CHUNK
from .user_data import UserData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..api.splits import Splits
    from ..records.data_check import Severity
    from .reading.row_places import RowPlaces

SHOWN = 3
"""Number of examples listed with a flaw."""
SYNONYMS = (
    {"y", "yes", "true", "1"},
    {"n", "no", "false", "0"},
    {"pos", "positive"},
    {"neg", "negative"},
    {"neu", "neutral"},
)
"""Groups of class names with the same meaning."""
_OUTSIDE = " \t.,;:'\"`()[]{}"
"""Characters at the ends of a name that carry no meaning; signs such as + and - do."""
_BETWEEN = re.compile(r"(?<=[^\W_])[\s\-_./,;:]+(?=[^\W_])")
"""Separators between letters or digits; between two digits they carry meaning."""


class CheckedRows(UserData):
    """A task on a user's own data whose rows can be checked without a processor."""

    advice: ClassVar[Mapping[str, tuple[Severity, str]]]
    """Problem of a row → its severity and advice."""

    def has_row_problems(self) -> bool:
        """Return whether the task overrides `row_problems`, so that all rows must be read."""
        return type(self).row_problems is not CheckedRows.row_problems

    def label_columns(self) -> tuple[str, ...]:
        """Return the columns of the label."""
        return (self.target,)

    def row_problems(self, key: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the problems of a row that need no processor, above all of its label: their names and what the row has.

        Args:
            key: key of the row's table.
            row: cells of its inputs and its label.
        """
        del key, row
        yield from ()

    def overall_flaws(self, splits: Splits[Any]) -> Iterator[Flaw]:
        """Yield the flaws that only all rows together show; by default none."""
        del splits
        yield from ()

    def advice_on(self, problem: str, share: float) -> tuple[Severity, str]:
        """Return severity and advice of a problem, which may depend on the share of rows that have it."""
        del share
        return self.advice[problem]


def label_flaws(task: CheckedRows, splits: Splits[Any], places: RowPlaces) -> Iterator[Flaw]:
    """Check the label column: missing labels, spellings of classes, and labels that training cannot use.

    Raises:
        UserError: the classes cannot be read.
    """
    empty = {key: np.flatnonzero(task.kinds(table) < 0) for key, table in task.tables.items()}
    count = sum(len(numbers) for numbers in empty.values())
    if count:
        rows = [places.of(key, int(number)) for key, numbers in empty.items() for number in numbers[:SHOWN]]
        advice = "these rows are left out; label or remove them"
        yield Flaw("warning", "label missing", count, tuple(rows[:SHOWN]), advice)
    for group in spellings(_class_names(task)):
        advice = "use one spelling; otherwise they are different classes"
        yield Flaw("error", "label spelled in several ways", len(group), tuple(map(_shown, group)), advice)
    yield from _unusable(task, splits, places)
    yield from task.overall_flaws(splits)


def _class_names(task: CheckedRows) -> Iterable[str]:
    """Return the names that people wrote: classes, or what the tags of words mark."""
    classes = task.classes
    if task.answer == "tags":
        return dict.fromkeys(tag.partition("-")[2] or tag for tag in classes)
    return classes if isinstance(task, ClassificationTask | MultiLabelTask) else ()


def _unusable(task: CheckedRows, splits: Splits[Any], places: RowPlaces) -> Iterator[Flaw]:
    """Read the label of every row as training will."""
    found: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for name in SPLITS if task.has_row_problems() else ():
        for begin in range(0, len(splits[name]), CHUNK):
            examples = splits[name][begin : begin + CHUNK]
            for example, row in zip(examples, task.cells(examples, task.label_columns()), strict=True):
                for problem, shown in task.row_problems(example.value[0], row):
                    counts[problem] += 1
                    found[problem] = sorted([*found[problem], (*example.value, shown)])[:SHOWN]
    for problem, count in counts.items():
        severity, advice = task.advice_on(problem, count / sum(len(splits[name]) for name in SPLITS))
        rows = (f"{places.of(key, number)}: {shown}" for key, number, shown in found[problem])
        yield Flaw(severity, problem, count, tuple(rows), advice)


def spellings(names: Iterable[str]) -> list[list[str]]:
    """Return groups of names that differ only in case, separators or Unicode form, or are synonyms."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        plain = _plain(name)
        same = next((min(group) for group in SYNONYMS if plain in group), plain)
        groups[same or name].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _plain(name: str) -> str:
    """Return a name without case, Unicode form, invisible characters, and separators that carry no meaning."""
    visible = "".join(sign for sign in unicodedata.normalize("NFKC", name) if unicodedata.category(sign) != "Cf")
    text = unicodedata.normalize("NFKC", visible.casefold()).strip(_OUTSIDE)
    return _BETWEEN.sub(lambda found: _separator(text, found), text)


def _separator(text: str, found: re.Match[str]) -> str:
    inside_number = text[found.start() - 1].isdigit() and text[found.end()].isdigit()
    return found[0] if inside_number else ""


def _shown(name: str) -> str:
    """Return a name in quotes; characters that look like others are written as escapes."""
    return repr(name) if unicodedata.is_normalized("NFKC", name) else ascii(name)
