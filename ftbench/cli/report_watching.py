"""`ftbench report --watch`: reports written anew whenever a trial ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ..analysis.task_column import UNFINISHED
from ..errors import RunError
from .report_writing import write_reports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..api.catalog import Catalog
    from .report_writing import Asked

PERIOD = 1.0
"""Seconds between two looks at a run directory."""


def watched(catalog: Catalog, formats: Sequence[str], asked: Asked) -> Iterator[list[Path]]:
    """Write reports and give their paths, again and again, until every planned trial has a record."""
    seen: object = None
    click.echo("watching; Ctrl-C ends it", err=True)
    while True:
        there = _state(asked.runs)
        if there != seen:
            seen = there
            try:
                summary, paths = write_reports(catalog, formats, asked, live=True)
            except RunError:
                # Before the first trial ends there is nothing to read yet.
                if any(not run.is_dir() or any(run.glob("trials/*/*/record.json")) for run in asked.runs):
                    raise
            else:
                yield paths
                if not summary.statuses.get(UNFINISHED):
                    return
        time.sleep(PERIOD)


def _state(runs: Sequence[Path]) -> object:
    """Give what changes when a trial ends or the plan does: names, sizes and times of the files that are read."""
    files = sorted(
        file
        for run in runs
        for file in (run, *run.glob("plan.json"), *run.glob("trials/*/*/record.json"))
        if file.exists()
    )
    return [(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
