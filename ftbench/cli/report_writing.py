"""Write the reports of runs: which formats, into which folder, with what left out where a page grows too large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ..api.catalog import option_names
from ..errors import UserError
from ..records.store import collector_paused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..analysis.report import Report
    from ..analysis.summary import Summary
    from ..api.catalog import Catalog


LARGE = 3_000_000
"""Bytes of a report from which it is said that it is large."""


@dataclass(frozen=True)
class Asked:
    """What is to be summed up, and how."""

    runs: tuple[Path, ...]
    """Run directories and bundles."""
    output: Path
    baseline: str | None = None
    examples: bool = True
    """Whether test items that were mistaken are shown."""
    allowed: tuple[str, ...] = ()
    """Fields in which runs may differ."""


@collector_paused()
def write_reports(
    catalog: Catalog, formats: Sequence[str], asked: Asked, *, live: bool = False
) -> tuple[Summary, list[Path]]:
    """Sum runs up and write them in every format.

    Args:
        catalog: what the plugins offer.
        formats: names of reports.
        asked: of what.
        live: whether reports with an option `live` get it while trials are missing: a page then reads itself again now and then.

    Raises:
        UserError: a run cannot be read, runs are not comparable, or the folder cannot be written to.
    """
    from ..analysis.run_summary import summarise_runs
    from ..analysis.task_column import UNFINISHED

    # Mistakes in names are told before anything is read.
    reports: dict[str, Report] = {name: catalog.build("reports", name, {}) for name in formats}
    summary = summarise_runs(asked.runs, asked.baseline, catalog if asked.examples else None, asked.allowed)
    if live and summary.statuses.get(UNFINISHED):
        reports |= {
            name: catalog.build("reports", name, {"live": True})
            for name in reports
            if "live" in option_names(type(reports[name]))
        }
    try:
        asked.output.mkdir(parents=True, exist_ok=True)
        paths = [_whole(report, summary, asked.output) for report in reports.values()]
    except OSError as error:
        raise UserError(f"{asked.output}: cannot be written: {error.strerror}") from None
    for path in paths:
        if path.stat().st_size > LARGE:
            size = path.stat().st_size / 1e6
            click.echo(
                f"{path}: {size:.1f} MB are much for a browser; fewer runs, or --no-examples, make it smaller", err=True
            )
    return summary, paths


def _whole(report: Report, summary: Summary, folder: Path) -> Path:
    """Let a report be there as it was or as it will be, and never half of it."""
    import os
    import shutil

    beside = folder / f".report.{os.getpid()}"
    beside.mkdir()
    try:
        written = report.write(summary, beside)
        for made in beside.iterdir():
            place = folder / made.name
            if place.is_dir():
                shutil.rmtree(place)
            made.replace(place)
        return folder / written.relative_to(beside)
    finally:
        shutil.rmtree(beside)
