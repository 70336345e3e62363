"""The summary as LaTeX: a table a task, for a paper to read in; it needs the package booktabs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ftbench import Report

from .board import Board
from .palette import looks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ftbench import Summary, Target

    from .board import Row

_SIGNS = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "—": "---", "’": "'", "“": "``", "”": "''", "·": r"\textperiodcentered{}",
    "±": r"$\pm$", "×": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$", "→": r"$\rightarrow$", "²": r"\textsuperscript{2}", "₂": r"\textsubscript{2}",
    "…": r"\dots{}", "µ": r"$\mu$", "⌈": r"$\lceil$", "⌉": r"$\rceil$",
}  # fmt: skip
_INTERVALS = (
    "Mean over seeds with its 95\\,\\% Student $t$ interval, on this test set. Differences are paired over seeds; words are "
    "Holm-corrected, and \\emph{undecided} means that no difference was shown, not that there is none. "
    "Strategies that share a letter are not told apart."
)


class LatexReport(Report):
    """Tables with intervals, ties, and rows for what failed."""

    def write(self, summary: Summary, folder: Path) -> Path:
        """Write `report.tex`."""
        board = Board(summary, looks(summary.strategies))
        lines = [f"% {_one_line(summary.suite)}: made by ftbench; needs \\usepackage{{booktabs}}"]
        for target in summary.targets:
            lines += ["", *_table(target, board)]
        lines += _ranks(summary)
        path = folder / "report.tex"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def _table(target: Target, board: Board) -> Iterator[str]:
    columns = [column for column in board.columns if column.name in board.shown and _taken(target, column.name)]
    places = [place for place, column in enumerate(board.columns) if column in columns]
    named = escaped(target.primary.replace("_", " "))
    width = 5 + len(columns)
    yield r"\begin{table}"
    yield r"\centering"
    about = " ".join(escaped(sentence) for sentence in target.verdict)
    yield rf"\caption{{{escaped(target.label)}. {about} {_INTERVALS}}}"
    yield rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', target.label)}}}"
    yield rf"\begin{{tabular}}{{lrrlr{'r' * len(columns)}}}"
    yield r"\toprule"
    difference = f"difference to {target.baseline}" if target.baseline else "difference"
    headings = ["strategy", named, escaped(difference), "ties", "seeds", *(escaped(column.heading) for column in columns)]
    yield " & ".join(headings) + r" \\"
    yield r"\midrule"
    for row in board.rows(target):
        yield " & ".join([*_cells(row), *(escaped(row.costs[place].text) for place in places)]) + r" \\"
    for lost in board.lost(target):
        told = f"{lost.status}, seed {', '.join(map(str, lost.seeds))}: {lost.message}"
        yield rf"{escaped(lost.label)} & \multicolumn{{{width - 1}}}{{l}}{{\emph{{{escaped(told[:300])}}}}} \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"


def _taken(target: Target, name: str) -> bool:
    return any(name in c.quantities and c.quantities[name].estimate for c in target.contenders)


def _cells(row: Row) -> list[str]:
    difference = " ".join(filter(None, (row.difference, row.word)))
    return [escaped(row.label), f"{escaped(row.score)} {escaped(row.range)}".strip(), escaped(difference), row.letters, escaped(row.seeds)]


def _ranks(summary: Summary) -> Iterator[str]:
    ranking = summary.ranking
    if not ranking.entries:
        return
    yield ""
    yield r"\begin{table}"
    yield r"\centering"
    remarks = " ".join(escaped(remark) for remark in ranking.remarks)
    yield rf"\caption{{Mean ranks over {len(ranking.tasks)} tasks, 1 the best, with 95\,\% intervals. {remarks}}}"
    yield r"\label{tab:ranks}"
    yield r"\begin{tabular}{lrr}"
    yield r"\toprule"
    yield r"strategy & mean rank & tasks \\"
    yield r"\midrule"
    for one in ranking.entries:
        yield rf"{escaped(one.strategy)} & {one.rank:.1f} [{one.interval.low:.1f}, {one.interval.high:.1f}] & {one.scored} of {ranking.of} \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"


def escaped(text: str) -> str:
    """Keep a text from being LaTeX."""
    return "".join(_SIGNS.get(sign) or (f"\\{sign}" if sign in "&%$#_{}" else sign) for sign in _one_line(text))


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)
