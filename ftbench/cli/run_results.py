"""Write reports, print verdicts and choose the exit code after a command has run trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import ExitCode
from ..formatting import visible
from ..records.record import FAILED

if TYPE_CHECKING:
    from ..api.catalog import Catalog
    from ..runner.runner import Outcome

REPORTS = ("html", "markdown", "csv", "latex")
"""Report formats written after a run."""


def finish(ctx: click.Context, catalog: Catalog, outcome: Outcome, *, report: bool) -> None:
    """Write reports if `report` is true, print the path of the page, and exit."""
    page = outcome.folder / "report.html"
    if report and any((outcome.folder / "trials").glob("*/*/record.json")):
        from .report_writing import ReportRequest, write_reports
        from .verdict_table import print_verdicts

        summary, _ = write_reports(catalog, REPORTS, ReportRequest((outcome.folder,), outcome.folder))
        print_verdicts(summary)
    if page.exists():
        click.echo(f"report: {visible(str(page))}")
    ctx.exit(exit_code(outcome))


def is_current(outcome: Outcome) -> bool:
    """Return whether the page is newer than every record."""
    page = outcome.folder / "report.html"
    try:
        written = page.stat().st_mtime_ns
        return all(path.stat().st_mtime_ns <= written for path in (outcome.folder / "trials").glob("*/*/record.json"))
    except OSError:
        return False


def exit_code(outcome: Outcome) -> ExitCode:
    """Return the exit code: interrupted, trials failed or missing, or success."""
    if outcome.interrupted:
        return ExitCode.INTERRUPTED
    missing = len(outcome.statuses) < outcome.planned
    failed = any(status in FAILED for status in outcome.statuses.values())
    return ExitCode.TRIALS_FAILED if missing or failed else ExitCode.OK
