"""Regenerate reports after each trial, for `ftbench report --watch`."""

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
    from .report_writing import ReportRequest

PERIOD = 1.0
"""Seconds between two checks of the run directories."""


def watch_reports(catalog: Catalog, formats: Sequence[str], request: ReportRequest) -> Iterator[list[Path]]:
    """Write reports and yield their paths after each change, until every planned trial has a record."""
    seen: object = None
    click.echo("watching; press Ctrl-C to stop", err=True)
    while True:
        state = _state(request.runs)
        if state != seen:
            seen = state
            try:
                summary, paths = write_reports(catalog, formats, request, live=True)
            except RunError:
                # A run without records is expected until its first trial ends.
                if any(not run.is_dir() or any(run.glob("trials/*/*/record.json")) for run in request.runs):
                    raise
            else:
                yield paths
                if not summary.statuses.get(UNFINISHED):
                    return
        time.sleep(PERIOD)


def _state(runs: Sequence[Path]) -> object:
    """Return names, sizes and times of plan and record files, which change when a trial ends or the plan does."""
    files = sorted(
        file
        for run in runs
        for file in (run, *run.glob("plan.json"), *run.glob("trials/*/*/record.json"))
        if file.exists()
    )
    return [(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
