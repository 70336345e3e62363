"""The answer for a task column as a table: one line a strategy with mark, score, costs and difference."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..formatting import quantity
from ..stats.estimates import Interval
from .answer import COSTS, PREFERENCES
from .contender import score
from .wording import plus_minus, step_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..suite.suite import Preference
    from .answer import Answer
    from .contender import Contender
    from .task_column import TaskColumn

Mark = Literal["pick", "possible", ""]
SIGNS: dict[Mark, str] = {"pick": "→", "possible": "●", "": ""}
"""Mark of a line → its sign."""
HEADINGS: dict[Preference, str] = {"memory": "memory", "time": "time", "parameters": "trained", "price": "price"}
"""Heading of each kind of cost."""
_SHOWN: tuple[Preference, ...] = ("memory", "parameters", "time")


@dataclass(frozen=True)
class AnswerRow:
    """One contender of a task column."""

    label: str
    mark: Mark
    """Whether it is the one to take, or could be the best."""
    is_baseline: bool
    score: str
    """Primary score with half its interval; how its trials ended if there is no score."""
    costs: tuple[str, ...]
    """Costs in the order of `AnswerTable.costs`; none without a score."""
    against: str
    """Difference to the baseline, with its verdict unless that is undecided."""

    @property
    def sign(self) -> str:
        """The sign of its mark."""
        return SIGNS[self.mark]


@dataclass(frozen=True)
class AnswerTable:
    """All contenders of a task column, best first."""

    score: str
    """Heading of the score, with its unit."""
    costs: tuple[str, ...]
    """Headings of the costs."""
    rows: tuple[AnswerRow, ...]


class LostTrials(NamedTuple):
    """Trials of one contender without a score that ended the same way."""

    which: str
    """Contender and seeds."""
    status: str
    message: str


def answer_table(target: TaskColumn) -> AnswerTable:
    """Return the table of a task column: memory, trained parameters, time, and the cost that decided."""
    names = _cost_names(target.answer, target.contenders)
    return AnswerTable(
        f"{target.primary.replace('_', ' ')}, {'%' if target.unit == '1' else target.unit}",
        tuple(names),
        tuple(_row(target, contender, tuple(names.values())) for contender in target.contenders),
    )


def answer_on(target: TaskColumn) -> str:
    """Return the first sentence of the answer with the name of the task column: `Take lora on digits: …`."""
    sentence = target.answer.sentences[0] if target.answer.sentences else ""
    take = f"Take {target.answer.pick}: "
    if sentence.startswith(take):
        return f"Take {target.answer.pick} on {target.label}: {sentence.removeprefix(take)}"
    return f"{target.label}: {sentence}"


def mark_of(answer: Answer, label: str) -> Mark:
    """Return the mark of a contender; with too few seeds, only the pick has one."""
    if label == answer.pick:
        return "pick"
    return "possible" if answer.decided and label in answer.possible else ""


def interval_shown(answer: Answer, contender: Contender, primary: str) -> Interval | None:
    """Return the 95 % interval of a score: the simultaneous one of those that could be the best; None for one seed."""
    if contender.label in answer.intervals:
        return answer.intervals[contender.label]
    found = contender.quantities[primary].estimate if primary in contender.quantities else None
    return Interval(found.low, found.high) if found and found.low is not None and found.high is not None else None


def lost_trials(target: TaskColumn) -> list[LostTrials]:
    """Return the trials without a score, grouped by contender and cause."""
    seeds: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for missing in target.missing:
        seeds[missing.contender, missing.status, missing.message].append(missing.seed)
    return [
        LostTrials(f"{label}, seed{'s' if len(own) > 1 else ''} {', '.join(map(str, own))}", status, message)
        for (label, status, message), own in seeds.items()
    ]


def _cost_names(answer: Answer, contenders: Sequence[Contender]) -> dict[str, str]:
    """Return heading → measurement of the costs that were measured."""
    found = {}
    for kind in PREFERENCES:
        if kind in _SHOWN or kind == answer.prefer:
            measured = (name for name in COSTS[kind] if any(score(c, name) is not None for c in contenders))
            name = answer.cost if kind == answer.prefer and answer.cost else next(measured, "")
            if name:
                found[HEADINGS[kind]] = name
    order = [HEADINGS[kind] for kind in (*_SHOWN, "price")]
    return {heading: found[heading] for heading in order if heading in found}


def _row(target: TaskColumn, contender: Contender, costs: Sequence[str]) -> AnswerRow:
    is_baseline = contender.label == target.baseline
    return AnswerRow(
        contender.label,
        mark_of(target.answer, contender.label),
        is_baseline,
        score_cell(target, contender),
        tuple(_cost(contender, name) for name in costs) if score(contender, target.primary) is not None else (),
        "baseline" if is_baseline else _against(target, contender),
    )


def score_cell(target: TaskColumn, contender: Contender) -> str:
    """Return the primary score with half its interval, without unit; how the trials ended if there is no score."""
    mean = score(contender, target.primary)
    if mean is None:
        return ", ".join(sorted(contender.statuses)) or "–"
    return plus_minus(mean, interval_shown(target.answer, contender, target.primary), target.unit)


def _cost(contender: Contender, name: str) -> str:
    mean = score(contender, name)
    return "–" if mean is None else quantity(mean, contender.quantities[name].unit)


def _against(target: TaskColumn, contender: Contender) -> str:
    if contender.apart:
        return "not comparable"
    found = contender.against_baseline
    if found is None:
        return ""
    return f"{step_text(found.estimate.mean, target.unit)} {word_against(target, contender)}".strip()


def word_against(target: TaskColumn, contender: Contender) -> str:
    """Return the verdict against the baseline; empty if undecided.

    Also empty for `worse` if the contender could be the best: the two corrections differ a little, and a line makes one
    claim only.
    """
    word = contender.against_baseline.verdict if contender.against_baseline else ""
    if word == "worse" and mark_of(target.answer, contender.label):
        return ""
    return word if word in ("better", "worse", "equivalent") else ""
