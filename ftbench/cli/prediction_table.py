"""Print predicted costs of trials as a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING

import click

from ..formatting import count, quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..training.accounting.prediction import Prediction, Question


def print_predictions(predictions: Sequence[Prediction], question: Question, form: str) -> None:
    """Print predictions in the format `table`, `csv` or `json`; JSON has one object per line."""
    if form == "json":
        for one in predictions:
            click.echo(json.dumps({**one.row(), "kernels": question.target}, ensure_ascii=False))
    elif form == "csv":
        rows = [{**one.row(), "kernels": question.target} for one in predictions]
        writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
    else:
        _print_table(predictions, question)


def _print_table(predictions: Sequence[Prediction], question: Question) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160)
    for target, backbone in dict.fromkeys((one.cell.target, one.cell.backbone) for one in predictions):
        table = Table(
            title=f"{target} · {backbone}", title_justify="left", title_style="bold", box=None, pad_edge=False
        )
        table.add_column("strategy")
        memory_columns = ("fits", "largest batch") if question.memory is not None else ()
        for name in (
            "batch",
            "length",
            "trained",
            "stored",
            "FLOPs per step",
            "peak memory",
            "activations",
            *memory_columns,
        ):
            table.add_column(name, justify="right")
        for one in predictions:
            if (one.cell.target, one.cell.backbone) == (target, backbone):
                table.add_row(*_table_row(one))
        console.print(table)
        for one in predictions:
            if one.reason and (one.cell.target, one.cell.backbone) == (target, backbone):
                console.print(f"  {one.cell.strategy}: {one.reason}", markup=False, soft_wrap=True)
        console.print()
    kernels = "CPU" if question.target == "cpu" else "CUDA"
    console.print(
        f"peak memory: live tensors while training with {kernels} kernels, activations included; "
        "excludes the driver, allocator rounding and evaluations"
    )


def _table_row(one: Prediction) -> list[str]:
    found = one.accounting
    if found is None:
        return [one.cell.strategy, str(one.batch_size), "", "–"]
    cells = [
        one.cell.strategy,
        str(one.batch_size),
        f"{one.length:g}",
        count(found.trainable_parameters),
        quantity(found.stored_bytes, "B"),
        count(found.flops),
        quantity(found.peak.total, "B"),
        quantity(found.peak.activations, "B"),
    ]
    if one.memory is not None:
        cells += ["yes" if one.fits else "no", "–" if one.largest_batch is None else f"{one.largest_batch:,}"]
    return cells
