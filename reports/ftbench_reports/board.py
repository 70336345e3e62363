"""Compute the leaderboard: a row per strategy and task, and rows for trials without a score."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftbench.reporting import places_of, quantity, score_text, share_interval, share_range, step_range, step_text
from ftbench.stats import Interval
from markupsafe import Markup

from .axes import Scale
from .charts import span
from .columns import measured, shown, with_interval
from .palette import Look, marker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Summary
    from ftbench.reporting import Contender, Quantity, TaskColumn

    from .columns import Column

STATUS = {
    "oom": "out of memory",
    "timeout": "timed out",
    "infra": "machine failed",
    "not-applicable": "not applicable",
    "error": "failed",
    "missing": "missing",
}
"""How a trial ended, in words; statuses not listed are shown as they are."""
_REACH, _LEAST = 4.0, 0.02
_LETTERS, _MOST_LETTERS = "abcdefghijklmnopqrstuvwxyz", 4


@dataclass(frozen=True)
class Cell:
    """One value of a row."""

    text: str
    title: str = ""
    """Why there is no value, or what a reader must know of it."""
    interval: str = ""
    """The value with its interval and n, if it has one; the page lists them in its table of all measurements."""
    kind: str = ""
    """`flag` if readers must know something before comparing it, `rate` if its unit may be on a second line."""


@dataclass(frozen=True)
class Row:
    """A contender with scores."""

    label: str
    stars: str
    """The Pareto fronts it is on, in words; empty if none."""
    letters: str
    """Contenders that share a letter are statistically tied; or the possible ranks."""
    score: str
    range: str
    """The interval of the score, without its mean."""
    value: str
    sub: str
    bar: Markup
    score_on_new_items: str
    """The interval of the score on new test items, or why it is unknown."""
    difference: str
    difference_value: str
    word: str
    note: str
    """The difference on new test items, or why the contender is not comparable."""
    seeds: str
    statuses: str
    costs: tuple[Cell, ...]
    lr: str


@dataclass(frozen=True)
class Lost:
    """Trials of one contender without a score that ended the same way."""

    label: str
    seeds: tuple[int, ...]
    status: str
    message: str
    kind: str

    @property
    def seeds_text(self) -> str:
        """Its seeds in words."""
        return f"seed{'s' if len(self.seeds) > 1 else ''} {', '.join(map(str, self.seeds))}"


class Board:
    """All rows of all tasks, under the same columns."""

    def __init__(self, summary: Summary, looks: Mapping[str, Look]) -> None:
        self.columns: list[Column] = measured(summary.targets)
        self.shown = shown(self.columns)
        self.headings = (
            "strategy",
            "score",
            "difference",
            "ties",
            "seeds",
            *(column.heading for column in self.columns),
            "learning rate",
        )
        self._looks = looks

    @property
    def hidden(self) -> list[str]:
        """Return the classes of the table that hide the columns not shown by default; see `style`."""
        first = len(self.headings) - 1 - len(self.columns)
        indices = [first + place for place, column in enumerate(self.columns) if column.name not in self.shown]
        return [f"h{place}" for place in (*indices, len(self.headings) - 1)]

    def style(self) -> str:
        """Return CSS that hides a column by a class of the table, and labels values on narrow pages."""
        hiding = "".join(
            f"#board.h{place} tr>:nth-child({place + 1}){{display:none}}" for place in range(1, len(self.headings))
        )
        naming = "".join(
            f'#board td:nth-child({place + 1}):not(.text)::before{{content:"{heading}"}}'
            for place, heading in enumerate(self.headings)
            if place
        )
        return f"{hiding}@media screen and (max-width:720px){{{naming}}}"

    def rows(self, target: TaskColumn) -> list[Row]:
        """Return the rows of all contenders with a score, best first."""
        scored = [c for c in target.contenders if (q := c.quantities.get(target.primary)) and q.estimate]
        if not scored:
            return []
        scale = _scale(target, scored)
        letters = _letters(target)
        return [self._row(target, contender, scale, letters.get(contender.label, "")) for contender in scored]

    def lost(self, target: TaskColumn) -> list[Lost]:
        """Return the trials without a score, grouped by contender and cause."""
        found: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
        for missing in target.missing:
            found[missing.contender, missing.status, missing.message, missing.kind].append(missing.seed)
        return [
            Lost(label, tuple(seeds), STATUS.get(status, status), message, kind)
            for (label, status, message, kind), seeds in found.items()
        ]

    def _row(self, target: TaskColumn, contender: Contender, scale: Scale, letters: str) -> Row:
        found = contender.quantities[target.primary]
        assert found.estimate is not None
        secondary = contender.quantities.get(target.secondary)
        sub = (
            f"{target.secondary.replace('_', ' ').replace(' f1', ' F1')} {_written(secondary)}"
            if secondary and secondary.estimate
            else ""
        )
        against = contender.against_baseline
        unit = target.unit
        new_items = against.new_items if against and against.verdict != "too few seeds" else None
        done = contender.statuses.get("ok", 0)
        ends = dict(contender.statuses)
        if waiting := sum(m.contender == contender.label and m.status == "missing" for m in target.missing):
            ends["missing"] = waiting
        return Row(
            label=contender.label,
            stars=fronts(contender),
            letters=letters,
            score=score_text(found.estimate.mean, unit),
            range=_range(found),
            value=f"{found.estimate.mean:.6g}",
            sub=sub,
            bar=_bar(contender, target, scale, self._looks[contender.label]),
            score_on_new_items=f"on new items {share_range(found.new_items, unit)}"
            if found.new_items
            else f"on new items: {found.unknown or 'not known'}",
            difference=_difference(contender, target),
            difference_value="0"
            if contender.label == target.baseline
            else f"{against.estimate.mean:.6g}"
            if against
            else "",
            word=_word(contender, target),
            note=contender.apart or (_on_new_items(new_items.interval, new_items.verdict, unit) if new_items else ""),
            seeds=f"{done} of {sum(ends.values())}" if len(ends) > 1 else str(done),
            statuses=", ".join(f"{n} {STATUS.get(s, s)}" for s, n in sorted(ends.items()) if s != "ok"),
            costs=tuple(_cell(contender.quantities.get(column.name)) for column in self.columns),
            lr=f"{contender.lr:g}" if contender.lr else "",
        )


def _on_new_items(interval: Interval, verdict: str, unit: str) -> str:
    """Write a difference on new test items with its verdict; the interval does not wrap."""
    written = step_range(interval.low, interval.high, unit).replace(" ", "\N{NO-BREAK SPACE}")
    return f"new items {written} {verdict}"


def _word(contender: Contender, target: TaskColumn) -> str:
    """Describe the comparison with the baseline, or that there must be none."""
    if contender.label == target.baseline:
        return "baseline"
    if contender.against_baseline is None:
        return "not comparable" if contender.apart else ""
    return contender.against_baseline.verdict


def fronts(contender: Contender) -> str:
    """Describe the fronts a contender is on, and how often it would be on them with other seeds."""
    named = ((cost.replace("_", " "), contender.front_chances.get(cost)) for cost in sorted(contender.fronts))
    return ", ".join(
        f"{cost} ({100 * chance:.0f} % of draws of seeds)" if chance is not None else cost for cost, chance in named
    )


def _scale(target: TaskColumn, scored: list[Contender]) -> Scale:
    """Return the scale of a task column's bars; contenders far below the median are clipped."""
    best, middle = (scored[place].quantities[target.primary].estimate for place in (0, (len(scored) - 1) // 2))
    assert best is not None
    assert middle is not None
    reach = max(_REACH * abs(best.mean - middle.mean), _LEAST if target.unit == "1" else 0.0) or abs(best.mean)
    ends = [span(c, target.primary, 1.0 if _is_share(c, target) else None) for c in scored]
    return Scale.over([value for found in ends if abs(best.mean - found[0]) <= reach for value in found], 8, 132)


def _letters(target: TaskColumn) -> dict[str, str]:
    """Return the compact letter display: contenders that share a letter are in one tie group (Piepho 2004).

    If there are too many letters to read, as with many strategies, return possible ranks instead.
    """
    found: dict[str, str] = defaultdict(str)
    for letter, group in zip(_LETTERS, target.ties, strict=False):
        for label in group:
            found[label] += letter
    if len(target.ties) <= len(_LETTERS) and all(len(letters) <= _MOST_LETTERS for letters in found.values()):
        return found
    return {
        label: f"{best}–{worst}" if best < worst else str(best) for label, (best, worst) in places_of(target).items()
    }


def _is_share(contender: Contender, target: TaskColumn) -> bool:
    found = contender.quantities[target.primary]
    return found.unit == "1" and found.direction == "higher"


def _range(found: Quantity) -> str:
    known = found.estimate
    assert known is not None
    if known.low is None or known.high is None:
        return ""
    if known.deviation == 0:
        return "each seed"
    return share_range(Interval(known.low, known.high), found.unit)


def _written(found: Quantity) -> str:
    assert found.estimate is not None
    return share_interval(found.estimate, found.unit)


def _difference(contender: Contender, target: TaskColumn) -> str:
    against = contender.against_baseline
    if contender.label == target.baseline or against is None:
        return ""
    known = against.estimate
    if known.low is None or known.high is None:
        return step_text(known.mean, target.unit)
    if known.deviation == 0:
        return f"{step_text(known.mean, target.unit)} (each seed)"
    return f"{step_text(known.mean, target.unit)} {step_range(known.low, known.high, target.unit)}"


def _cell(found: Quantity | None) -> Cell:
    if found is None:
        return Cell("")
    if found.estimate is None:
        return Cell("–", f"not measured: {found.reason}")
    kind = " ".join(["flag"] * bool(found.flags) + ["rate"] * found.unit.endswith("/s"))
    known = f"{with_interval(found)}, n = {found.estimate.n}"
    return Cell(quantity(found.estimate.mean, found.unit), ", ".join(found.flags), known, kind)


def _bar(contender: Contender, target: TaskColumn, scale: Scale, look: Look) -> Markup:
    """Draw a score with its interval, 140 units wide."""
    ends = span(contender, target.primary, 1.0 if _is_share(contender, target) else None)
    x, a, b = scale.place(ends[0]), scale.place(min(ends)), scale.place(max(ends))
    whisker = f'<path d="M{a:.0f} 7H{b:.0f}M{a:.0f} 4v6M{b:.0f} 4v6" class="l{look.colour}"/>' if len(ends) > 1 else ""
    drawn = marker(look, x, 7) if scale.low <= ends[0] <= scale.high else _arrow(x, scale, look)
    # The numbers are in the same row.
    bar = f'<svg class="bar" viewBox="0 0 140 14" aria-hidden="true">{whisker}{drawn}</svg>'
    return Markup(bar)  # noqa: S704 - drawn from numbers


def _arrow(x: float, scale: Scale, look: Look) -> str:
    """Draw an arrow towards a score outside the scale."""
    way = -1 if x <= scale.start else 1
    return f'<path d="M{x + 3 * way:.1f} 7l{-6 * way} -4v8z" class="k{look.colour}"/>'
