"""Show what tuning changed and what it cost: scores over the learning rate, and a row per strategy."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ftbench.reporting import percent, point_interval, quantity, share_interval, tuning_cost, tuning_verdict, valued

from .axes import Scale
from .charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, frame
from .figure import Figure, drawing
from .palette import Look, marker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ftbench import Summary
    from ftbench.reporting import Tuned, TuningTrial

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
CHANGED = ("strategy", "tried", "chosen", "untuned, test", "tuned, test", "change", "time", "energy", "cost")
CHOSEN = ("strategy", "untuned values", "untuned", "best", "expected best of 1, half, all", "median gap to best")


def tuned_targets(summary: Summary) -> list[tuple[str, list[Tuned]]]:
    """Group the tuned strategies by task or sequence."""
    labels = list(dict.fromkeys(one.target for one in summary.tuning))
    return [(label, [one for one in summary.tuning if one.target == label]) for label in labels]


def sentences(found: Sequence[Tuned]) -> list[str]:
    """Describe what tuning changed on a task column, for which strategies, and what it cost."""
    return [*tuning_verdict(found), tuning_cost(found)]


def change_table(found: Sequence[Tuned]) -> Table:
    """Return for each strategy the values tried and chosen, the change on the test split, and the cost."""
    rows: list[tuple[str, ...]] = [
        (
            one.contender,
            f"{one.budget}, {one.search}",
            valued(one.chosen) if one.chosen is not None else "–",
            share_interval(one.untuned_test, one.test_unit) if one.untuned_test else "–",
            share_interval(one.tuned_test, one.test_unit) if one.tuned_test else "–",
            f"{point_interval(one.change.estimate, one.test_unit)}, {one.change.verdict}"
            if one.change
            else _unchanged(one),
            _spent(one.seconds.value, "s"),
            _spent(one.energy.value, one.energy.unit),
            _spent(one.money.value, one.money.unit),
        )
        for one in found
    ]
    return CHANGED, rows


def choice_table(found: Sequence[Tuned]) -> Table:
    """Return the validation scores of each strategy's values, and how much of the best score is luck."""
    rows: list[tuple[str, ...]] = [
        (
            one.contender,
            valued(one.untuned),
            _score(one.untuned_score, one.unit),
            _score(one.best, one.unit),
            _expected(one),
            _points(one.sensitivity, one.unit),
        )
        for one in found
    ]
    return CHOSEN, rows


def _unchanged(one: Tuned) -> str:
    return "the same values" if one.chosen is not None and dict(one.chosen) == dict(one.untuned) else "–"


def _score(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return percent(value) if unit == "1" else f"{value:.3g} {unit}"


def _points(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f} points" if unit == "1" else f"{value:.3g} {unit}"


def _expected(one: Tuned) -> str:
    """Return the expected best of one tuning trial, of half of them, and of all."""
    known = len(one.expected)
    return (
        ", ".join(_score(one.expected[count - 1], one.unit) for count in (1, -(-known // 2), known)) if known else "–"
    )


def _spent(value: float | None, unit: str) -> str:
    return "–" if value is None else quantity(value, unit)


def tuning_notes(found: Sequence[Tuned]) -> list[str]:
    """Describe what readers must know about the selection, and why something was not measured."""
    notes = [f"{one.contender}: {flag}" for one in found for flag in one.flags]
    for name, reasons in (
        ("energy", [one.energy.reason for one in found]),
        ("cost", [one.money.reason for one in found]),
    ):
        notes += [
            f"{name} of the tuning trials: not measured: {reason}" for reason in dict.fromkeys(filter(None, reasons))
        ]
    return notes


# ---- over the learning rate ------------------------------------------------------------------------------------------


def rate_curves(label: str, found: Sequence[Tuned], looks: Mapping[str, Look]) -> Figure | None:
    """Draw validation score over learning rate, the best tuning trial of each rate; None without scores."""
    drawn = [(one, points) for one in found if (points := _best_by_rate(one))]
    if not drawn:
        return None
    first = found[0]
    share, named = first.unit == "1", first.metric.replace("_", " ")
    across = Scale.over([rate for _, points in drawn for rate, _ in points], LEFT, WIDTH - RIGHT, log=True)
    up = Scale.over([score for _, points in drawn for _, score in points], HEIGHT - BOTTOM, TOP)
    parts = [frame(across, up, "", "learning rate", f"{named}, %" if share else named, share=share)]
    for one, points in drawn:
        look = looks[one.contender]
        places = [(across.place(rate), up.place(score)) for rate, score in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            f'<g><polyline points="{line}" class="curve l{look.colour}"/><title>{escape(one.contender)}</title>'
        )
        if one.chosen is not None and one.best is not None:
            x, y = across.place(one.chosen["lr"]), up.place(one.best)
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" class="ring l{look.colour}"/>')
        parts += [marker(look, x, y) for x, y in places]
        parts.append("</g>")
    about = (
        f"{named} on the validation split over the learning rate, the best tuning trial of each rate; a ring marks "
        "the selected one."
    )
    chart = drawing("".join(parts), WIDTH, HEIGHT, f"{label}: {about}")
    headings = ("strategy", "values", named, "ended")
    return Figure(
        f"{label}: {named} over the learning rate", about, (("", chart),), headings, tuple(_trial_rows(found))
    )


def _best_by_rate(one: Tuned) -> list[tuple[float, float]]:
    best: dict[float, float] = {}
    choose = min if one.lower else max
    for entry in one.tries:
        if entry.score is not None:
            rate = float(entry.values["lr"])
            best[rate] = choose(best.get(rate, entry.score), entry.score)
    return sorted(best.items())


def _trial_rows(found: Sequence[Tuned]) -> Iterator[tuple[str, ...]]:
    for one in found:
        for entry in one.tries:
            yield (one.contender, valued(entry.values), _score(entry.score, one.unit), _ended(entry))


def _ended(entry: TuningTrial) -> str:
    if entry.status == "ok":
        return "ok"
    return f"{'pruned' if entry.status == 'skipped' else entry.status}: {entry.message}"
