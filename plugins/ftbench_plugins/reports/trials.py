"""Show the phases of trials, how each trial ended, and the settings that differ between contenders."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from typing import TYPE_CHECKING

from ftbench.reporting import quantity
from markupsafe import Markup

from .axes import Scale
from .board import STATUS
from .charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, frame, line
from .figure import Figure, drawing, shortened
from .palette import LIGHT, Look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Summary
    from ftbench.meters import Samples
    from ftbench.reporting import TaskColumn, TrialLine

_WIDTH, _ROW, _SEEN = 340, 30, 0.01
COMPARED = 24
"""Number of contenders whose configurations are shown in columns."""


def phases(target: TaskColumn, order: Sequence[str]) -> Figure | None:
    """Draw the mean time of each phase over the seeds of each contender; None if none was recorded.

    Args:
        target: a task.
        order: all phases of the run, so that a phase has the same colour on every task.
    """
    timed = [c for c in target.contenders if c.phases]
    if not timed:
        return None
    longest = max(sum(found.mean for found in c.phases.values()) for c in timed)
    # Phases too short to be visible share a column of the table.
    names = [name for name in order if any(name in c.phases and c.phases[name].mean >= _SEEN * longest for c in timed)]
    parts = []
    bars: dict[str, str] = defaultdict(str)
    for place, c in enumerate(timed):
        x, top = 0.0, place * _ROW
        parts.append(f'<text x="0" y="{top + 11}" class="label">{escape(shortened(c.label, 40))}</text>')
        for name, found in c.phases.items():
            wide = found.mean / longest * _WIDTH if longest else 0.0
            if wide >= 0.5:
                bars[name] += f"M{x:.0f} {top + 20}h{max(1.0, wide):.0f}"
            x += wide
    parts += [f'<path d="{drawn}" class="{_paint(name, order)}"/>' for name, drawn in bars.items()]
    about = "Seconds of each phase of a trial, the mean over seeds; the longest trial takes the whole width."
    rows = tuple(
        (
            c.label,
            *(quantity(c.phases[name].mean, "s") if name in c.phases else "" for name in names),
            quantity(sum(found.mean for name, found in c.phases.items() if name not in names), "s"),
        )
        for c in timed
    )
    chart = drawing("".join(parts), _WIDTH, len(timed) * _ROW, f"{target.label}: where time went")
    return Figure(f"{target.label}: where time went", about, (("", chart),), ("strategy", *names, "all others"), rows)


def phase_legend(order: Sequence[str]) -> Markup:
    """Return the colour of each phase, the same for all tasks."""
    items = (
        Markup('<li><svg class="swatch" aria-hidden="true"><path d="M1 7h12" class="{}"/></svg>{}</li>').format(
            _paint(name, order), name
        )
        for name in order
    )
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items)) if order else Markup("")


def _paint(name: str, order: Sequence[str]) -> str:
    place = order.index(name)
    return f"l{place % len(LIGHT)} bar" + (" pale" if place >= len(LIGHT) else "")


def over_time(summary: Summary, target: TaskColumn, looks: Mapping[str, Look]) -> list[Figure]:
    """Draw what was sampled during trials, a figure per reading: each contender's first trial with samples."""
    first: dict[str, dict[str, Samples]] = {}
    for trial in summary.trials:
        for found in trial.samples if trial.target == target.label else ():
            first.setdefault(found.name, {}).setdefault(trial.contender, found)
    return [_sampled(target, name, by_label, looks) for name, by_label in first.items()]


def _sampled(target: TaskColumn, name: str, found: Mapping[str, Samples], looks: Mapping[str, Look]) -> Figure:
    unit = next(iter(found.values())).unit
    size, written = (2**20, "MiB") if unit == "B" else (1, unit)
    drawn = {label: [(seconds, value / size) for seconds, value in one.points] for label, one in found.items()}
    everything = [point for points in drawn.values() for point in points]
    across = Scale(0, max(1e-3, *(seconds for seconds, _ in everything)), LEFT, WIDTH - RIGHT)
    up = Scale.over([0.0, *(value for _, value in everything)], HEIGHT - BOTTOM, TOP)
    parts = [frame(across, up, "s", "seconds of the trial", f"{name}, {written}")]
    parts += [
        line([(across.place(x), up.place(y)) for x, y in points], looks[label], label)
        for label, points in drawn.items()
    ]
    scopes = ", ".join(dict.fromkeys(one.scope for one in found.values()))
    about = (
        f"{name.capitalize()} of one trial each, {scopes}: the highest reading in each of about a hundred intervals."
    )
    rows = tuple(
        (
            label,
            quantity(max(v for _, v in one.points), unit),
            quantity(sum(v for _, v in one.points) / len(one.points), unit),
            quantity(one.points[-1][0], "s"),
        )
        for label, one in found.items()
    )
    chart = drawing("".join(parts), WIDTH, HEIGHT, f"{target.label}: {name}")
    return Figure(
        f"{target.label}: {name}", about, (("", chart),), ("strategy", "highest", "mean of the points", "until"), rows
    )


def trial_table(summary: Summary, target: TaskColumn) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the trials of a task column: how they ended, after how many attempts, how long they took."""
    rows: list[tuple[str, ...]] = [
        (
            one.contender,
            str(one.seed),
            STATUS.get(one.status, one.status),
            _attempts(one),
            quantity(one.seconds, "s") if one.seconds is not None else "–",
            one.id,
        )
        for one in summary.trials
        if one.target == target.label
    ]
    return ("strategy", "seed", "status", "attempts", "wall time", "trial"), rows


def _attempts(one: TrialLine) -> str:
    """Return the number of attempts, and how the earlier ones ended."""
    endings = "; ".join(f"{a.number} {STATUS.get(a.status, a.status)}: {a.message or a.kind}" for a in one.earlier)
    return f"{one.attempts} ({endings})" if endings else str(one.attempts)


def settings_table(target: TaskColumn) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the settings in which the contenders of a task column differ; shared settings are left out."""
    compared = target.contenders[:COMPARED]
    names = list(dict.fromkeys(name for c in compared for name in c.settings))
    rows: list[tuple[str, ...]] = [(name, *(c.settings.get(name, "") for c in compared)) for name in names]
    return ("setting", *(c.label for c in compared)), [row for row in rows if len(set(row[1:])) > 1]
