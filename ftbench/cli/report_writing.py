"""Write reports of runs in the requested formats, once or after each finished trial."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ..api.catalog import option_names
from ..errors import RunError, UserError
from ..formatting import visible
from ..records.store import collector_paused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..analysis.report import Report
    from ..analysis.summary import Summary
    from ..api.catalog import Catalog


LARGE = 3_000_000
"""Size in bytes above which a report triggers a warning."""
PERIOD = 1.0
"""Seconds between two checks of the run directories while watching."""


@dataclass(frozen=True)
class ReportRequest:
    """Runs to summarise, and how."""

    runs: tuple[Path, ...]
    """Run directories and bundles."""
    output: Path
    """Folder to write to."""
    baseline: str | None = None
    """Label of the strategy the others are compared with; None for the default."""
    examples: bool = True
    """Whether to show test items with wrong predictions."""
    allowed: tuple[str, ...] = ()
    """Fields in which the runs may differ."""
    style: str | None = None
    """Style of the reports that have the option `style`; None for their default."""


@collector_paused()
def write_reports(
    catalog: Catalog, formats: Sequence[str], request: ReportRequest, *, live: bool = False
) -> tuple[Summary, list[Path]]:
    """Summarise runs and write a report in every format.

    Args:
        catalog: catalog of the plugins.
        formats: names of reports.
        request: runs to summarise, and how.
        live: while trials are missing, set the option `live` of reports that have it, so that the page reloads itself.

    Returns:
        The summary and the paths of the written files.

    Raises:
        UserError: a run cannot be read, runs are not comparable, or the folder cannot be written to.
    """
    from ..analysis.run_summary import summarise_runs
    from ..analysis.task_column import UNFINISHED

    # Report unknown formats before reading any record.
    options = _style(catalog, formats, request.style)
    reports: dict[str, Report] = {name: catalog.build("reports", name, options.get(name, {})) for name in formats}
    summary = summarise_runs(request.runs, request.baseline, catalog, request.allowed, examples=request.examples)
    if live and summary.statuses.get(UNFINISHED):
        reports |= {
            name: catalog.build("reports", name, {**options.get(name, {}), "live": True})
            for name in reports
            if "live" in option_names(type(reports[name]))
        }
    try:
        request.output.mkdir(parents=True, exist_ok=True)
        paths = [_write_atomically(report, summary, request.output) for report in reports.values()]
    except OSError as error:
        raise UserError(f"{request.output}: cannot be written: {error.strerror}") from None
    for path in paths:
        if path.stat().st_size > LARGE:
            size = path.stat().st_size / 1e6
            click.echo(
                f"{visible(str(path))}: {size:.1f} MB may be slow in a browser; give fewer runs or --no-examples "
                "for a smaller page",
                err=True,
            )
    return summary, paths


def _style(catalog: Catalog, formats: Sequence[str], style: str | None) -> dict[str, dict[str, str]]:
    """Return format → options, for formats that have the option `style`."""
    if style is None:
        return {}
    styled = [name for name in formats if "style" in option_names(catalog.find("reports", name))]
    if not styled:
        raise UserError(f"--style: no style can be chosen for {', '.join(formats)}; give a format such as latex")
    return {name: {"style": style} for name in styled}


def _write_atomically(report: Report, summary: Summary, folder: Path) -> Path:
    """Write a report into a temporary folder, then move it into place, so that readers never see half of it."""
    import os
    import shutil

    temporary = folder / f".report.{os.getpid()}"
    temporary.mkdir()
    try:
        written = report.write(summary, temporary)
        for made in temporary.iterdir():
            target = folder / made.name
            if target.is_symlink():
                target.unlink()
            elif target.is_dir():
                shutil.rmtree(target)
            made.replace(target)
        return folder / written.relative_to(temporary)
    finally:
        shutil.rmtree(temporary)


def watch_reports(catalog: Catalog, formats: Sequence[str], request: ReportRequest) -> Iterator[list[Path]]:
    """Write reports and yield their paths after each change, until every planned trial has a record."""
    from ..analysis.task_column import UNFINISHED

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
