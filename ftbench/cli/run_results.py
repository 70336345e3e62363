"""How a command ends that ran trials: reports, verdicts, the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import ExitCode
from ..records.record import FAILED

if TYPE_CHECKING:
    from ..api.catalog import Catalog
    from ..runner.runner import Outcome

REPORTS = ("html", "markdown", "csv", "latex")
"""Written after a run."""


def end(ctx: click.Context, catalog: Catalog, outcome: Outcome, *, report: bool) -> None:
    """Write the reports where they are wanted, say where the page is, and exit."""
    page = outcome.folder / "report.html"
    if report and any((outcome.folder / "trials").glob("*/*/record.json")):
        from .report_writing import Asked, write_reports
        from .verdict_table import print_verdicts

        summary, _ = write_reports(catalog, REPORTS, Asked((outcome.folder,), outcome.folder))
        print_verdicts(summary)
    if page.exists():
        click.echo(f"report: {page}")
    ctx.exit(exit_code(outcome))


def is_current(outcome: Outcome) -> bool:
    """Tell whether the page was written after the last record."""
    page = outcome.folder / "report.html"
    try:
        written = page.stat().st_mtime_ns
        return all(path.stat().st_mtime_ns <= written for path in (outcome.folder / "trials").glob("*/*/record.json"))
    except OSError:
        return False


def exit_code(outcome: Outcome) -> ExitCode:
    """Give what the shell sees."""
    if outcome.interrupted:
        return ExitCode.INTERRUPTED
    missing = len(outcome.statuses) < outcome.planned
    failed = any(status in FAILED for status in outcome.statuses.values())
    return ExitCode.TRIALS_FAILED if missing or failed else ExitCode.OK
