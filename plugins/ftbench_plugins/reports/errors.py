"""Show errors by class, by confidence and by kind of item, and the worst mistakes, as tables and charts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from ftbench.reporting import percent, share_interval
from markupsafe import Markup

from .axes import Scale
from .charts import end_names, marks
from .columns import with_interval
from .figure import Figure, drawing, path
from .palette import Look, marker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench.reporting import ClassScores, Errors, Preview, TaskColumn

_SIDE, _LEFT, _BOTTOM, _TOP, _NAMES = 280, 44, 42, 14, 90


class Shown(NamedTuple):
    """A mistake as text, with a preview of the test item."""

    preview: Preview | None
    id: str
    label: str
    prediction: str
    confidence: str
    wrong: str


def class_table(errors: Errors) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return F1 with precision and recall, one row per class, one column per contender."""
    labels = list(errors.classes)
    rows = [
        (one.name, str(one.support), *(_cell(errors.classes[label][place]) for label in labels))
        for place, one in enumerate(errors.classes[labels[0]])
    ]
    return ("class", "test items × seeds", *labels), rows


def _cell(one: ClassScores) -> str:
    f1, precision, recall = (
        "–" if value is None else f"{100 * value:.1f}" for value in (one.f1, one.precision, one.recall)
    )
    return f"{f1} ({precision}, {recall})"


def mistakes(target: TaskColumn, errors: Errors) -> list[Shown]:
    """Return the mistakes with the items themselves, if they can be shown."""
    names = target.classes.get(errors.task, ())
    shown = target.exhibits[errors.task].shown if errors.task in target.exhibits else {}
    # Only a few images and sounds are embedded; the names of the others mean nothing to readers.
    few = any(one.kind != "text" for one in shown.values())
    return [
        Shown(
            shown.get(one.id),
            one.id,
            _name(names, one.label),
            _name(names, one.prediction),
            percent(one.confidence),
            f"{one.wrong} of {one.of} seeds" if one.of > 1 else "",
        )
        for one in errors.mistakes
        if one.id in shown or not few
    ]


def _name(names: tuple[str, ...], place: int) -> str:
    return names[place] if 0 <= place < len(names) else str(place)


def slice_table(errors: Errors) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """Return the accuracy by kind of item, one row each; None if there are no kinds."""
    if not errors.slices:
        return None
    labels = list(dict.fromkeys(label for one in errors.slices for label in one.scores))
    rows = [
        (
            f"{one.by} {one.name}",
            str(one.items),
            *(share_interval(one.scores[label]) if label in one.scores else "" for label in labels),
        )
        for one in errors.slices
    ]
    return ("test items", "items", *labels), rows


def calibration(target: TaskColumn, errors: Errors, looks: Mapping[str, Look]) -> Figure | None:
    """Draw accuracy against confidence; None if no probabilities are known."""
    drawn = {label: bins for label, bins in errors.calibration.items() if bins}
    if not drawn:
        return None
    across, up = Scale(0, 1, _LEFT, _SIDE - 12), Scale(0, 1, _SIDE - _BOTTOM, _TOP)
    parts, grid = [], ""
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = across.place(tick), up.place(tick)
        grid += f"M{_LEFT} {y:.0f}H{_SIDE - 12}M{x:.0f} {_TOP}V{_SIDE - _BOTTOM}"
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 3.5:.0f}" class="e">{100 * tick:g}</text>'
            f'<text x="{x:.0f}" y="{_SIDE - _BOTTOM + 14}" class="m">{100 * tick:g}</text>'
        )
    parts.insert(0, f'<path d="{grid}" class="grid"/>')
    parts.append(f'<path d="M{_LEFT} {_SIDE - _BOTTOM}L{_SIDE - 12} {_TOP}" class="front"/>')
    parts.append(f'<text x="{(_LEFT + _SIDE) / 2}" y="{_SIDE - 8}" class="label m">confidence, %</text>')
    parts.append(f'<text x="{_LEFT + 6}" y="{_TOP + 10}" class="label halo">accuracy, %</text>')
    marked = marks(target)
    for label, bins in sorted(drawn.items(), key=lambda one: one[0] in marked):
        look = looks[label]
        places = [(across.place(one.confidence), up.place(one.right)) for one in bins]
        bins_drawn = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in places[:-1])
        parts.append(
            f'<g class="k{look.colour}{" o" * (label not in marked)}"><path d="{path(places)}" class="curve"/>'
            f'<path d="{bins_drawn}" class="dots"/>'
            f"{marker(look, *places[-1], inherits=True)}<title>{escape(label)}</title></g>"
        )
    last = {label: up.place(drawn[label][-1].right) for label in marked if label in drawn}
    parts.append(end_names(last, looks, _SIDE - 4))
    about = "Dashed: perfect calibration; below it predictions are overconfident."
    error = {
        c.label: c.quantities["calibration_error"] for c in target.contenders if "calibration_error" in c.quantities
    }
    most = max(len(bins) for bins in drawn.values())
    rows = tuple(
        (
            label,
            with_interval(error[label]) if label in error else "–",
            *(f"{100 * one.confidence:.0f} → {100 * one.right:.0f} ({one.count})" for one in bins),
            *([""] * (most - len(bins))),
        )
        for label, bins in drawn.items()
    )
    headings = (
        "strategy",
        "calibration error",
        *(f"bin {number + 1}: confidence → accuracy, % (predictions)" for number in range(most)),
    )
    chart = drawing("".join(parts), _SIDE + _NAMES, _SIDE, f"{errors.task}: calibration")
    figure = Markup(chart)  # noqa: S704 - drawn from numbers
    return Figure(f"{errors.task}: calibration", about, (("", figure),), headings, rows)
