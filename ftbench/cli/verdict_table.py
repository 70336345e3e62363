"""Print the results of a run: one line a strategy and the answer for each task column, in 100 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from ..analysis.answer_rows import AnswerRow, AnswerTable, answer_on, answer_table, lost_trials
from ..analysis.tuning.tuned import tuning_cost, tuning_verdict
from ..analysis.wording import data_counts, data_errors
from ..formatting import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..analysis.answer import Answer
    from ..analysis.summary import Summary
    from ..analysis.task_column import TaskColumn

WIDTH = 100
"""Columns of a table if the output is not a terminal."""
_LEAST_LABEL = 12
_STYLES = {"pick": "bold", "possible": "", "": "dim"}


class _SafeConsole(Console):
    """Prints texts without control characters: names and messages come from records."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(visible(one, "\n") if isinstance(one, str) else one for one in objects), **options)


def print_verdicts(summary: Summary) -> None:
    """Print the table and answer of every task column to standard output, then a line for each if there are several."""
    console = _SafeConsole(highlight=False)
    if not console.is_terminal:
        console = _SafeConsole(highlight=False, width=WIDTH)
    if errors := data_errors(summary.data):
        console.print(f"\n{errors}", style="bold red", markup=False, soft_wrap=True)
    explained = ""
    for target in summary.targets:
        explained = _print_target(console, summary, target, explained)
    counts = ", ".join(f"{count} {status}" for status, count in sorted(summary.statuses.items()))
    console.print(f"\n{sum(summary.statuses.values())} trials: {counts}")
    if flaws := data_counts(summary.data):
        console.print(f"data: {flaws}; `ftbench data check` lists them", markup=False, soft_wrap=True)
    if len(summary.targets) > 1:
        console.print()
        for target in summary.targets:
            console.print(answer_on(target), style="bold", markup=False, soft_wrap=True)


def _print_target(console: Console, summary: Summary, target: TaskColumn, explained: str) -> str:
    """Print a task column, with the legend unless it was `explained` just before; return the legend."""
    note = f" ({', '.join(target.notes)})" if target.notes else ""
    console.print()
    console.print(f"{target.label}{note}", style="bold", markup=False, soft_wrap=True)
    for line in _table(answer_table(target), console.width):
        console.print(line, soft_wrap=True)
    text = legend(target.answer)
    if text != explained:
        console.print(f"  {text}", style="dim", markup=False, soft_wrap=True)
    console.print()
    for number, sentence in enumerate(target.verdict):
        console.print(f"  {sentence}", style="" if number else "bold", markup=False, soft_wrap=True)
    for lost in lost_trials(target):
        console.print(f"  {': '.join(lost)}", style="red", markup=False, soft_wrap=True)
    tuned = [one for one in summary.tuning if one.target == target.label]
    for sentence in (*tuning_verdict(tuned), tuning_cost(tuned)) if tuned else ():
        console.print(f"  {sentence}", style="dim", markup=False, soft_wrap=True)
    return text


def legend(answer: Answer) -> str:
    """Return a line that explains the marks and what ± means."""
    if not answer.decided:
        return "→ best mean   ± longer half of the 95 % interval"
    return "→ take   ● could be the best, 95 % sure   ± longer half of the 95 % interval (→ ●: simultaneous)"


def _table(table: AnswerTable, width: int) -> Iterator[Text]:
    """Return one line a strategy, which never wraps: long names are cut."""
    lines = [("", "strategy", table.score, *table.costs), *(_cells(row, len(table.costs)) for row in table.rows)]
    widths = [max(cell_len(line[place]) for line in lines) for place in range(2, len(lines[0]))]
    widths = [min(one, 24) for one in widths]
    room = width - 4 - sum(one + 2 for one in widths)
    named = min(max(cell_len(line[1]) for line in lines), max(room, _LEAST_LABEL))
    for line, style in zip(lines, ("bold", *(_STYLES[row.mark] for row in table.rows)), strict=True):
        yield Text(visible(_line(line, named, widths)), style=style, end="")


def _cells(row: AnswerRow, costs: int) -> tuple[str, ...]:
    label = f"{row.label} (baseline)" if row.is_baseline else row.label
    return (row.sign, label, row.score, *(row.costs or [""] * costs))


def _line(cells: Sequence[str], named: int, widths: Sequence[int]) -> str:
    sign, label, *numbers = cells
    cut = [_cut(text, wide) for text, wide in zip(numbers, widths, strict=True)]
    right = [" " * (wide - cell_len(text)) + text for text, wide in zip(cut, widths, strict=True)]
    return "  ".join([f"  {sign or ' '} {set_cell_size(_cut(label, named, keep=named // 2), named)}", *right]).rstrip()


def _cut(text: str, width: int, keep: int = 0) -> str:
    """Cut a text that is too long; `keep` is the number of columns to keep of its end."""
    if cell_len(text) <= width:
        return text
    return f"{set_cell_size(text, width - 1 - keep)}…{text[-keep:] if keep else ''}"
