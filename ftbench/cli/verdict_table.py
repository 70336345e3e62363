"""Print the results of a run: one table per task column, followed by the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from ..analysis.tuning import tuning_cost, tuning_verdict
from ..analysis.wording import share_interval
from ..formatting import quantity

if TYPE_CHECKING:
    from ..analysis.contender import Contender
    from ..analysis.summary import Summary
    from ..analysis.task_column import TaskColumn


def print_verdicts(summary: Summary) -> None:
    """Print the table and verdict of every task column to standard output."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=140)
    for target in summary.targets:
        console.print()
        console.print(_table(target))
        for sentence in target.verdict:
            console.print(
                f"  {sentence}", style="bold" if sentence is target.verdict[0] else "", markup=False, soft_wrap=True
            )
        for missing in target.missing:
            console.print(
                f"  {missing.contender}, seed {missing.seed}: {missing.status}: {missing.message}",
                markup=False,
                style="red",
                soft_wrap=True,
            )
        tuned = [one for one in summary.tuning if one.target == target.label]
        for sentence in (*tuning_verdict(tuned), tuning_cost(tuned)) if tuned else ():
            console.print(f"  {sentence}", style="dim", markup=False, soft_wrap=True)
    counts = ", ".join(f"{count} {status}" for status, count in sorted(summary.statuses.items()))
    console.print(f"\n{sum(summary.statuses.values())} trials: {counts}")


def _table(target: TaskColumn) -> Table:
    note = f" ({', '.join(target.notes)})" if target.notes else ""
    table = Table(title=f"{target.label}{note}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("strategy")
    for name in _columns(target):
        table.add_column(name.replace("_", " "), justify="right")
    for contender in target.contenders:
        table.add_row(contender.label, *(_cell(contender, name, target) for name in _columns(target)))
    return table


def _columns(target: TaskColumn) -> list[str]:
    scores = [target.primary, target.secondary] if target.secondary else [target.primary]
    return [*scores, "trainable_parameters", "peak_host_memory", "throughput", "train_time"]


def _cell(contender: Contender, name: str, target: TaskColumn) -> str:
    found = contender.quantities.get(name)
    if found is None:
        return ", ".join(contender.statuses) if name == target.primary else ""
    if found.estimate is None:
        return "–"
    return share_interval(found.estimate) if found.unit == "1" else quantity(found.estimate.mean, found.unit)
