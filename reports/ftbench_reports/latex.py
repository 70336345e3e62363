"""Write the summary as LaTeX, a table per task to include in a paper; it needs the package booktabs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ftbench import Report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ftbench import Summary
    from ftbench.reporting import TaskColumn

    from .board import Board

_SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "–": "--",
    "—": "---",
    "’": "'",
    "“": "``",
    "”": "''",
    "·": r"\textperiodcentered{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "→": r"$\rightarrow$",
    "²": r"\textsuperscript{2}",
    "₂": r"\textsubscript{2}",
    "…": r"\dots{}",
    "µ": r"$\mu$",
    "⌈": r"$\lceil$",
    "⌉": r"$\rceil$",
}
_INTERVALS = (
    "Mean over seeds with its 95\\,\\% Student $t$ interval, on this test set. Differences are paired over seeds; "
    "words are Holm-corrected, and \\emph{undecided} means that no difference was shown, not that there is none. "
    "Words compare with the baseline, letters compare all pairs, which needs more evidence: strategies that share a "
    "letter are statistically tied."
)


class LatexReport(Report):
    """Tables with intervals, ties, and rows for what failed."""

    def write(self, summary: Summary, folder: Path) -> Path:
        """Write `report.tex`."""
        from .board import Board
        from .palette import looks

        board = Board(summary, looks(summary.strategies))
        lines = [f"% {_one_line(summary.suite)}: made by ftbench; needs \\usepackage{{booktabs}}"]
        for target in summary.targets:
            lines += ["", *_table(target, board)]
        lines += _ranks(summary)
        path = folder / "report.tex"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def _table(target: TaskColumn, board: Board) -> Iterator[str]:
    about = " ".join(escaped(sentence) for sentence in target.verdict)
    yield r"\begin{table}"
    yield r"\centering\footnotesize\setlength{\tabcolsep}{3pt}"
    yield rf"\caption{{{escaped(target.label)}. {about} {_INTERVALS}}}"
    yield rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', target.label)}}}"
    yield from _scores(target, board)
    costs = list(_costs(target, board))
    if costs:
        yield r"\par\medskip"
        yield from costs
    yield r"\end{table}"


def _scores(target: TaskColumn, board: Board) -> Iterator[str]:
    """Write the scores, and a row for each cause of trials without one."""
    rows = board.rows(target)
    tied = any(row.letters for row in rows)
    difference = f"difference to {target.baseline}" if target.baseline else "difference"
    headings = ["strategy", target.primary.replace("_", " "), difference, *["ties"] * tied, "seeds"]
    yield rf"\begin{{tabular}}{{lrr{'l' * tied}r}}"
    yield r"\toprule"
    yield " & ".join(map(escaped, headings)) + r" \\"
    yield r"\midrule"
    for row in rows:
        against = " ".join(filter(None, (row.difference, row.word)))
        cells = [
            escaped(row.label),
            _numbers(f"{row.score} {row.range}".strip()),
            _numbers(against),
            *[escaped(row.letters)] * tied,
            escaped(row.seeds),
        ]
        yield " & ".join(cells) + r" \\"
    for lost in board.lost(target):
        reason = escaped(f"{lost.status}, seed {', '.join(map(str, lost.seeds))}: {lost.message}"[:300])
        yield (
            rf"{escaped(lost.label)} & "
            rf"\multicolumn{{{len(headings) - 1}}}{{p{{.55\linewidth}}}}{{\raggedright\emph{{{reason}}}}} \\"
        )
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _costs(target: TaskColumn, board: Board) -> Iterator[str]:
    """Write the costs; they do not fit into the table of scores."""
    columns = [column for column in board.columns if column.name in board.shown and _measured(target, column.name)]
    if not columns:
        return
    places = [board.columns.index(column) for column in columns]
    yield rf"\begin{{tabular}}{{l{'r' * len(columns)}}}"
    yield r"\toprule"
    yield " & ".join(["strategy", *(escaped(column.heading) for column in columns)]) + r" \\"
    yield r"\midrule"
    for row in board.rows(target):
        yield " & ".join([escaped(row.label), *(escaped(row.costs[place].text) for place in places)]) + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _numbers(text: str) -> str:
    """Write negative numbers with a minus sign, not with a hyphen."""
    return re.sub(r"(?<!\w)-(?=\d)", "$-$", escaped(text))


def _measured(target: TaskColumn, name: str) -> bool:
    return any(name in c.quantities and c.quantities[name].estimate for c in target.contenders)


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
        yield (
            rf"{escaped(one.strategy)} & {one.rank:.1f} [{one.interval.low:.1f}, {one.interval.high:.1f}] & "
            rf"{one.scored} of {ranking.of} \\"
        )
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"


def escaped(text: str) -> str:
    """Escape a text for LaTeX."""
    return "".join(_SIGNS.get(sign) or (f"\\{sign}" if sign in "&%$#_{}" else sign) for sign in _one_line(text))


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)
