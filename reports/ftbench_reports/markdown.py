"""Write the summary as Markdown, for a README or a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ftbench import Report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ftbench import Summary
    from ftbench.reporting import Contender, TaskColumn


INTERVALS = (
    "Intervals: 95 %, Student t over seeds, on this test set; “on new items” over seeds and test items. Words: "
    "Holm-corrected, "
    "in tables over the comparisons with the baseline, in verdicts over all pairs, which needs more evidence; "
    "“undecided” means that no "
    "difference was shown, not that there is none."
)


class MarkdownReport(Report):
    """Verdicts and tables."""

    def write(self, summary: Summary, folder: Path) -> Path:
        """Write `report.md`."""
        path = folder / "report.md"
        lines = [f"# {_escaped(summary.suite)}", "", *(line for target in summary.targets for line in _target(target))]
        lines += [*_tuning(summary), *_ranking(summary)]
        counts = ", ".join(f"{count} {status}" for status, count in sorted(summary.statuses.items()))
        lines += [*(f"* {_escaped(remark)}" for remark in summary.remarks)]
        lines += [f"{sum(summary.statuses.values())} trials: {counts}. {INTERVALS}"]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def _target(target: TaskColumn) -> Iterator[str]:
    from ftbench.reporting import share_range

    from .columns import cell, columns, flagged, spent, uncertain, unmeasured

    note = f" ({', '.join(target.notes)})" if target.notes else ""
    yield f"## {_escaped(target.label)}{note}"
    yield ""
    yield from (f"{_escaped(sentence)}" for sentence in target.verdict)
    yield ""
    shown = columns(target)
    headings = [shown[0].heading, "on new items", *(column.heading for column in shown[1:])]
    yield "| strategy | " + " | ".join(headings) + f" | against {_escaped(target.baseline or '–')} |"
    yield "|---|" + "---:|" * (len(shown) + 2)
    for contender in target.contenders:
        cells = [_escaped(cell(contender, column.name)) for column in shown]
        score = contender.quantities.get(target.primary)
        cells.insert(1, _escaped(share_range(score.new_items, target.unit)) if score else "")
        yield f"| {_escaped(contender.label)} | " + " | ".join(cells) + f" | {_against(contender, target)} |"
    yield ""
    yield from (
        f"* {_escaped(reason)}"
        for reason in (*uncertain(target), *unmeasured(target), *spent(target), *flagged(target))
    )
    for missing in target.missing:
        yield f"* {_escaped(missing.contender)}, seed {missing.seed}: **{missing.status}**: {_escaped(missing.message)}"
    yield ""


def _against(contender: Contender, target: TaskColumn) -> str:
    from ftbench.reporting import against

    if contender.label == target.baseline:
        return "baseline"
    difference = contender.against_baseline
    if difference is None:
        return (
            _escaped(f"not comparable: {contender.apart}") if contender.apart else ", ".join(sorted(contender.statuses))
        )
    return against(difference, target.unit)


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
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", text).replace("\n", " ")
