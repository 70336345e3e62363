"""Write the summary as Markdown, for a README or a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ftbench import Report
from ftbench.reporting import collapsed, data_errors, unmentioned, visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ftbench import Summary
    from ftbench.reporting import TaskColumn


LEGEND = (
    "→: take this one; ●: could be the best, 95 % sure. ±: the longer half of the 95 % interval, on this test set; "
    "those of → and ● hold together. Words are Holm-corrected over the comparisons with the baseline; no word: no "
    "difference was shown, which does not mean that there is none."
)


class MarkdownReport(Report):
    """The answer for each task, and a table with one line a strategy."""

    def write(self, summary: Summary, folder: Path) -> Path:
        """Write `report.md`."""
        path = folder / "report.md"
        lines = [f"# {_escaped(summary.suite)}", ""]
        if errors := data_errors(summary.data):
            lines += [f"**{_escaped(errors)}**", ""]
        if len(summary.targets) > 1:
            lines += [*(f"* {_bold(target)}" for target in summary.targets), ""]
        lines += [line for target in summary.targets for line in _target(target)]
        lines += [*_tuning(summary), *_ranking(summary), *_data(summary)]
        counts = ", ".join(f"{count} {status}" for status, count in sorted(summary.statuses.items()))
        lines += [*(f"* {_escaped(remark)}" for remark in summary.remarks)]
        lines += [f"{sum(summary.statuses.values())} trials: {counts}. {LEGEND}"]
        path.write_text(visible("\n".join(lines) + "\n", "\n"), encoding="utf-8")
        return path


def _bold(target: TaskColumn) -> str:
    """Write the first sentence of the answer, with the pick in bold."""
    from ftbench.reporting import answer_on

    take, colon, rest = answer_on(target).partition(": ")
    return f"**{_escaped(take)}**{colon}{_escaped(rest)}"


def _target(target: TaskColumn) -> Iterator[str]:
    from ftbench.reporting import answer_table, lost_trials, step_unit

    note = f" ({', '.join(target.notes)})" if target.notes else ""
    yield f"## {_escaped(target.label)}{_escaped(note)}"
    yield ""
    yield _bold(target)
    yield from map(_escaped, target.verdict[1:])
    yield ""
    table = answer_table(target)
    against = f"against {target.baseline or '–'}, {step_unit(target.unit)}"
    yield "| " + " | ".join(["", "strategy", _escaped(table.score), *table.costs, _escaped(against)]) + " |"
    yield "|---|---|" + "---:|" * (len(table.costs) + 2)
    for row in table.rows:
        label = f"**{_escaped(row.label)}**" if row.mark == "pick" else _escaped(row.label)
        costs = row.costs or [""] * len(table.costs)
        yield "| " + " | ".join([row.sign, label, *map(_escaped, [row.score, *costs, row.against])]) + " |"
    yield ""
    yield from (f"* {_escaped(one.which)}: **{one.status}**: {_escaped(one.message)}" for one in lost_trials(target))
    yield from _notes(target)
    yield ""


def _notes(target: TaskColumn) -> Iterator[str]:
    """Write what is unknown, unmeasured or flagged, folded."""
    from .columns import flagged, spent, uncertain, unmeasured

    notes = [*uncertain(target), *unmeasured(target), *spent(target), *flagged(target)]
    if notes:
        yield ""
        yield "<details><summary>Notes on measurements</summary>"
        yield ""
        yield from (f"* {_escaped(note)}" for note in notes)
        yield ""
        yield "</details>"


def _tuning(summary: Summary) -> Iterator[str]:
    from .tuning import change_table, choice_table, sentences, tuned_targets, tuning_notes

    for label, found in tuned_targets(summary):
        yield f"## Tuning on {_escaped(label)}"
        yield ""
        yield from (_escaped(sentence) for sentence in sentences(found))
        for headings, rows in (change_table(found), choice_table(found)):
            yield ""
            yield "| " + " | ".join(headings) + " |"
            yield "|---|" + "---|" * (len(headings) - 1)
            yield from ("| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows)
        yield ""
        yield from (f"* {_escaped(note)}" for note in tuning_notes(found))
        yield ""


def _data(summary: Summary) -> Iterator[str]:
    if not any(one.flaws for one in summary.data):
        return
    yield "## Data"
    yield ""
    for one in summary.data:
        for flaw in one.flaws:
            yield f"* {_escaped(one.task)}: **{flaw.severity}**: {_escaped(flaw.text)}"
    yield ""


def _ranking(summary: Summary) -> Iterator[str]:
    ranking = summary.ranking
    if not ranking.entries:
        return
    yield f"## Over {len(ranking.tasks)} tasks"
    yield ""
    yield "| strategy | mean rank | tasks |"
    yield "|---|---:|---:|"
    for entry in ranking.entries:
        rank = f"{entry.rank:.1f} [{entry.interval.low:.1f}, {entry.interval.high:.1f}]"
        yield f"| {_escaped(entry.strategy)} | {rank} | {entry.scored} of {ranking.of} |"
    yield ""
    yield from (f"* Statistically tied over tasks: {_escaped(', '.join(group))}" for group in ranking.groups)
    yield from (f"* {_escaped(remark)}" for remark in ranking.remarks)
    yield ""


def _escaped(text: str) -> str:
    """Escape names and messages for Markdown."""
    return unmentioned(re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", collapsed(text)))
