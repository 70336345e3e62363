"""Compute the card of a task: the pick with its score and costs, the strip of all strategies, and the trade-offs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from ftbench.reporting import PREFERENCES, choose, count, interval_shown, quantity, score_text

from .charts import mean
from .track import axis_of, track
from .tradeoff import tradeoff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Summary
    from ftbench.reporting import Contender, Preference, TaskColumn
    from markupsafe import Markup

    from .palette import Look
    from .track import Axis

KINDS: Mapping[Preference, str] = {"memory": "memory", "parameters": "trained", "time": "time", "price": "price"}
"""Kind of cost → its heading."""
HEADINGS: Mapping[Preference, str] = {
    "memory": "peak memory",
    "parameters": "trained",
    "time": "train time",
    "price": "price",
}
CROWD, _NEXT = 12, 5
"""Strategies that a strip shows at most, and how many of those that cannot be the best it shows beyond that."""


State = Literal["in", "out", ""]
"""In the set of those that could be the best, or not; empty if that is not known. It is the class of a row."""


class Chip(NamedTuple):
    """One cost of the pick."""

    text: str
    what: str
    """Its name and its ratio to the baseline."""


class Pick(NamedTuple):
    """The strategy to take if some kinds of cost decide."""

    kinds: tuple[Preference, ...]
    label: str
    look: Look
    number: str
    """Its score, as large as it gets; without its unit."""
    unit: str
    interval: str
    chips: tuple[Chip, ...]


class StripRow(NamedTuple):
    """One strategy of a strip."""

    label: str
    state: State
    picked: tuple[Preference, ...]
    """Kinds of cost that make it the pick."""
    drawn: Markup
    score: str
    costs: Mapping[Preference, str]


@dataclass(frozen=True)
class Card:
    """The first screen of a task."""

    place: int
    target: TaskColumn
    takes: bool
    """Whether there are enough seeds to say what to take."""
    picks: tuple[Pick, ...]
    why: tuple[str, ...]
    axis: Axis | None
    shown: tuple[StripRow, ...]
    rest: tuple[StripRow, ...]
    charts: tuple[tuple[Preference, Markup], ...]

    @property
    def label(self) -> str:
        """Label of the task."""
        return self.target.label

    @property
    def score(self) -> str:
        """Heading of the scores."""
        return f"{self.target.primary.replace('_', ' ')}, {'%' if self.target.unit == '1' else self.target.unit}"


def preferences(summary: Summary) -> list[Preference]:
    """Return the kinds of cost that were measured anywhere, that of the suite first."""
    there = {kind for target in summary.targets for kind in PREFERENCES if cost_of(target, kind)}
    default = next((target.answer.prefer for target in summary.targets), PREFERENCES[0])
    return sorted(there, key=lambda kind: (kind != default, list(KINDS).index(kind)))


def cards(summary: Summary, looks: Mapping[str, Look], kinds: Sequence[Preference]) -> list[Card]:
    """Return a card for each task."""
    return [_card(place, target, looks, kinds) for place, target in enumerate(summary.targets)]


def state_of(target: TaskColumn, label: str) -> State:
    """Return whether a contender could be the best, or is worse; empty with too few seeds."""
    if not target.answer.decided:
        return ""
    return "in" if label in target.answer.possible else "out"


def takes(target: TaskColumn) -> bool:
    """Return whether there are enough seeds to say what to take."""
    return target.answer.decided or len(_scored(target)) == 1


def picks_of(target: TaskColumn, kinds: Sequence[Preference]) -> dict[Preference, str]:
    """Return the strategy to take for each kind of cost: the summary's rule with another cost."""
    answer = target.answer
    possible = [c for c in target.contenders if c.label in answer.possible]
    if not takes(target) or not possible:
        return dict.fromkeys(kinds, answer.pick)
    return {kind: answer.pick if kind == answer.prefer else choose(possible, target.primary, kind)[0] for kind in kinds}


def short_quantity(value: float, unit: str) -> str:
    """Write a cost in three digits at most where its unit allows it: `106 MiB` rather than `106.1 MiB`."""
    if unit == "B" and 10 * 2**20 <= value < 2**30:
        return f"{value / 2**20:.0f} MiB"
    if unit == "parameters" and value >= 1e4:
        number, _, letter = count(value).partition(" ")
        return f"{float(number):.0f} {letter}" if float(number) >= 10 else f"{number} {letter}"
    return quantity(value, unit)


def _card(place: int, target: TaskColumn, looks: Mapping[str, Look], kinds: Sequence[Preference]) -> Card:
    scored = _scored(target)
    if not scored:
        return Card(place, target, False, (), target.verdict, None, (), (), ())
    chosen, axis = picks_of(target, kinds or PREFERENCES[:1]), axis_of(target)
    by_pick: dict[str, list[Preference]] = {}
    for kind, label in chosen.items():
        by_pick.setdefault(label, []).append(kind)
    rows = [_row(target, c, chosen, track(target, c, axis, looks[c.label], ring=c.label in by_pick)) for c in scored]
    shown = _shown(target, rows)
    charts = [(kind, tradeoff(target, cost_of(target, kind), looks, chosen[kind])) for kind in kinds]
    return Card(
        place,
        target,
        takes(target),
        tuple(_pick(target, label, tuple(by_pick[label]), looks[label]) for label in by_pick),
        tuple(s for s in target.verdict[takes(target) :] if not s.startswith("Cheapest of them")),
        axis,
        tuple(row for row in rows if row.label in shown),
        tuple(row for row in rows if row.label not in shown),
        tuple((kind, chart) for kind, chart in charts if chart is not None),
    )


def _scored(target: TaskColumn) -> list[Contender]:
    return [c for c in target.contenders if mean(c, target.primary) is not None]


def cost_of(target: TaskColumn, kind: Preference) -> str:
    """Return the measurement of a kind of cost; empty if it was not taken."""
    return choose(_scored(target), target.primary, kind)[1]


def _shown(target: TaskColumn, rows: Sequence[StripRow]) -> set[str]:
    """Return the labels shown at once: all, or those that could be the best, the baseline and the next five."""
    if len(rows) <= CROWD:
        return {row.label for row in rows}
    if not target.answer.decided:
        return {row.label for row in rows[:CROWD] if row.label != target.baseline} | {target.baseline or ""}
    first = {row.label for row in rows if row.state == "in" or row.picked or row.label == target.baseline}
    return first | {row.label for row in [row for row in rows if row.label not in first][:_NEXT]}


def _row(target: TaskColumn, contender: Contender, chosen: Mapping[Preference, str], drawn: Markup) -> StripRow:
    value = mean(contender, target.primary) or 0.0
    return StripRow(
        contender.label,
        state_of(target, contender.label),
        tuple(kind for kind, label in chosen.items() if label == contender.label),
        drawn,
        f"{100 * value:.1f}" if target.unit == "1" else f"{value:.4g}",
        {kind: _written(contender, cost_of(target, kind)) for kind in chosen},
    )


def _written(contender: Contender, name: str) -> str:
    found = contender.quantities.get(name)
    return short_quantity(found.estimate.mean, found.unit) if found and found.estimate else "–"


def _pick(target: TaskColumn, label: str, kinds: tuple[Preference, ...], look: Look) -> Pick:
    by_label = {c.label: c for c in target.contenders}
    contender, baseline = by_label[label], by_label.get(target.baseline or "")
    value, found = mean(contender, target.primary) or 0.0, interval_shown(target.answer, contender, target.primary)
    number, _, unit = score_text(value, target.unit).partition(" ")
    interval = ""
    if found is not None:
        low, high = (f"{100 * end:.1f}" if target.unit == "1" else f"{end:.4g}" for end in (found.low, found.high))
        interval = f"{low} – {high}"
    chips = [
        _chip(contender, baseline, cost_of(target, kind), heading)
        for kind, heading in KINDS.items()
        if kind != "price" or cost_of(target, kind)
    ]
    return Pick(kinds, label, look, number, unit, interval, tuple(chip for chip in chips if chip))


def _chip(contender: Contender, baseline: Contender | None, name: str, heading: str) -> Chip | None:
    spent = mean(contender, name) if name else None
    if spent is None:
        return None
    other = mean(baseline, name) if baseline else None
    if baseline is None or other is None or other <= 0:
        ratio = ""
    elif baseline.label == contender.label:
        ratio = " · the baseline"
    elif heading == "trained":
        ratio = f" · {_percent(spent / other)} of {baseline.label}"
    else:
        ratio = f" · {spent / other:.2f}× {baseline.label}"
    return Chip(short_quantity(spent, contender.quantities[name].unit), heading + ratio)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %" if share >= 0.001 else "< 0.1 %"
