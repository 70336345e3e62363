"""The summary as Markdown, for a README or a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ftbench import Report, point_interval

from .columns import cell, columns, flagged, spent, unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ftbench import Contender, Summary, Target


class MarkdownReport(Report):
    """Verdicts and tables."""

    def write(self, summary: Summary, folder: Path) -> Path:
        """Write `report.md`."""
        path = folder / "report.md"
        lines = [f"# {_escaped(summary.suite)}", "", *(line for target in summary.targets for line in _target(target))]
        counts = ", ".join(f"{count} {status}" for status, count in sorted(summary.statuses.items()))
        lines += [f"{sum(summary.statuses.values())} trials: {counts}. Intervals: 95 %, Student t over seeds."]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def _target(target: Target) -> Iterator[str]:
    note = f" ({', '.join(target.notes)})" if target.notes else ""
    yield f"## {_escaped(target.label)}{note}"
    yield ""
    yield from (f"{_escaped(sentence)}" for sentence in target.verdict)
    yield ""
    shown = columns(target)
    yield "| strategy | " + " | ".join(column.heading for column in shown) + f" | against {_escaped(target.baseline or '–')} |"
    yield "|---|" + "---:|" * (len(shown) + 1)
    for contender in target.contenders:
        cells = [_escaped(cell(contender, column.name)) for column in shown]
        yield f"| {_escaped(contender.label)} | " + " | ".join(cells) + f" | {_against(contender, target)} |"
    yield ""
    yield from (f"* {_escaped(reason)}" for reason in (*unmeasured(target), *spent(target), *flagged(target)))
    for missing in target.missing:
        yield f"* {_escaped(missing.contender)}, seed {missing.seed}: **{missing.status}**: {_escaped(missing.message)}"
    yield ""


def _against(contender: Contender, target: Target) -> str:
    if contender.label == target.baseline:
        return "baseline"
    difference = contender.against_baseline
    if difference is None:
        return ", ".join(sorted(contender.statuses))
    return f"{point_interval(difference.estimate)}, {difference.verdict}"


def _escaped(text: str) -> str:
    """Keep names and messages from being Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", text).replace("\n", " ")
