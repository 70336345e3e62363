"""Write the tables of the LaTeX report: one a task, or one compact table of strategies and tasks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from ftbench.reporting import (
    SIGNS,
    answer_on,
    answer_table,
    collapsed,
    interval_shown,
    lost_trials,
    mark_of,
    plus_minus,
    score_text,
    share_range,
    step_range,
    step_text,
    word_against,
)

from .columns import cell, measured, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ftbench import Summary
    from ftbench.reporting import Contender, TaskColumn

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
    "−": "$-$",
    "●": r"$\bullet$",
    "µ": r"$\mu$",
    "⌈": r"$\lceil$",
    "⌉": r"$\rceil$",
}
_LEGEND = (
    "Mean over seeds with its 95\\,\\% interval, on this test set. $\\rightarrow$: take this one; $\\bullet$: could be "
    "the best, 95\\,\\% sure; their intervals hold together. Differences are paired over seeds; words are "
    "Holm-corrected, and no word means that no difference was shown, not that there is none."
)
_COMPACT_LEGEND = (
    "Mean $\\pm$ longer half of the 95\\,\\% interval. \\textbf{Bold}: best mean; \\underline{underlined}: could be "
    "the best, 95\\,\\% sure; $\\dagger$: the one to take."
)


def document(summary: Summary, style: Literal["full", "compact"]) -> str:
    """Return the tables of a summary."""
    lines = [rf"% {_one_line(summary.suite)}: made by ftbench; needs \usepackage{{booktabs}}"]
    if style == "compact":
        lines += ["", *_compact(summary)]
    else:
        for target in summary.targets:
            lines += ["", *_table(target)]
        lines += _ranks(summary)
    return "\n".join(lines) + "\n"


# ---- a table a task ------------------------------------------------------------------------------------------------


def _table(target: TaskColumn) -> Iterator[str]:
    about = " ".join(escaped(sentence) for sentence in (answer_on(target), *target.verdict[1:]))
    yield r"\begin{table}"
    yield r"\centering\footnotesize\setlength{\tabcolsep}{3pt}"
    yield rf"\caption{{{about} {_LEGEND}}}"
    yield rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', target.label)}}}"
    yield from _scores(target)
    costs = list(_costs(target))
    if costs:
        yield r"\par\medskip"
        yield from costs
    yield r"\end{table}"


def _scores(target: TaskColumn) -> Iterator[str]:
    """Write the scores, and a row for each cause of trials without one."""
    difference = f"difference to {target.baseline}" if target.baseline else "difference"
    headings = ["", "strategy", target.primary.replace("_", " "), difference, "seeds"]
    yield r"\begin{tabular}{llrrr}"
    yield r"\toprule"
    yield " & ".join(map(escaped, headings)) + r" \\"
    yield r"\midrule"
    for contender in _scored(target):
        estimate = contender.quantities[target.primary].estimate
        assert estimate is not None
        interval = interval_shown(target.answer, contender, target.primary)
        score = score_text(estimate.mean, target.unit)
        cells = [
            escaped(SIGNS[mark_of(target.answer, contender.label)]),
            escaped(contender.label),
            _numbers(f"{score} {share_range(interval, target.unit)}" if interval else score),
            _numbers(_against(target, contender)),
            str(estimate.n),
        ]
        yield " & ".join(cells) + r" \\"
    for lost in lost_trials(target):
        reason = escaped(f"{lost.status}: {lost.message}"[:300])
        yield (
            rf" & {escaped(lost.which)} & "
            rf"\multicolumn{{{len(headings) - 2}}}{{p{{.55\linewidth}}}}{{\raggedright\emph{{{reason}}}}} \\"
        )
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _scored(target: TaskColumn) -> list[Contender]:
    return [c for c in target.contenders if target.primary in c.quantities and c.quantities[target.primary].estimate]


def _against(target: TaskColumn, contender: Contender) -> str:
    if contender.label == target.baseline:
        return "baseline"
    found = contender.against_baseline
    if contender.apart or found is None:
        return "not comparable" if contender.apart else ""
    step = step_text(found.estimate.mean, target.unit)
    if found.estimate.low is not None and found.estimate.high is not None:
        step += f" {step_range(found.estimate.low, found.estimate.high, target.unit)}"
    return f"{step} {word_against(target, contender)}".strip()


def _costs(target: TaskColumn) -> Iterator[str]:
    """Write the costs; they do not fit into the table of scores."""
    known = measured((target,))
    columns = [column for column in known if column.name in shown(known)]
    if not columns:
        return
    yield rf"\begin{{tabular}}{{l{'r' * len(columns)}}}"
    yield r"\toprule"
    yield " & ".join(["strategy", *(escaped(column.heading) for column in columns)]) + r" \\"
    yield r"\midrule"
    for contender in _scored(target):
        yield " & ".join(map(escaped, [contender.label, *(cell(contender, one.name) for one in columns)])) + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"


# ---- one table of strategies and tasks -----------------------------------------------------------------------------


def _compact(summary: Summary) -> Iterator[str]:
    takes = " ".join(escaped(answer_on(target)) for target in summary.targets)
    yield r"\begin{table}"
    yield r"\centering\footnotesize\setlength{\tabcolsep}{4pt}"
    yield rf"\caption{{{takes} {_COMPACT_LEGEND}}}"
    yield r"\label{tab:results}"
    yield rf"\begin{{tabular}}{{l{'r' * len(summary.targets)}}}"
    yield r"\toprule"
    yield " & ".join(["strategy", *(escaped(target.label) for target in summary.targets)]) + r" \\"
    yield " & ".join(["", *(escaped(answer_table(target).score) for target in summary.targets)]) + r" \\"
    yield r"\midrule"
    contenders = [{c.label: c for c in _scored(target)} for target in summary.targets]
    references = [{c.label: c for c in target.references} for target in summary.targets]
    named = [label for label in summary.strategies if any(label in found for found in contenders)]
    yield from _compact_rows(summary, named, contenders)
    beside = list(dict.fromkeys(label for found in references for label in found if label not in named))
    if beside:
        yield r"\midrule"
        yield from _compact_rows(summary, beside, references)
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"


def _compact_rows(
    summary: Summary, labels: Iterable[str], contenders: Sequence[Mapping[str, Contender]]
) -> Iterator[str]:
    for label in labels:
        cells = [
            _compact_cell(target, found[label]) if label in found else "--"
            for target, found in zip(summary.targets, contenders, strict=True)
        ]
        yield " & ".join([escaped(label), *cells]) + r" \\"


def _compact_cell(target: TaskColumn, contender: Contender) -> str:
    found = contender.quantities.get(target.primary)
    if found is None or found.estimate is None:
        return "--"
    text = plus_minus(found.estimate.mean, interval_shown(target.answer, contender, target.primary), target.unit)
    mean, space, half = text.partition(" ")
    label, answer = contender.label, target.answer
    shown_mean = rf"\textbf{{{escaped(mean)}}}" if label == answer.leader else escaped(mean)
    shown_text = f"{shown_mean}{space}{_numbers(half)}"
    if answer.decided and label in answer.possible:
        shown_text = rf"\underline{{{shown_text}}}"
    return rf"{shown_text}$^{{\dagger}}$" if label == answer.pick else shown_text


def _numbers(text: str) -> str:
    """Write negative numbers with a minus sign, not with a hyphen."""
    return re.sub(r"(?<!\w)-(?=\d)", "$-$", escaped(text))


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
    return collapsed(text)
