"""The `ftbench run` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UserError
from ..records.record import FAILED
from .context import CommandContext, runs_option, say, suite_argument
from .run_results import REPORTS, finish, is_current
from .trial_options import exclude_option, only_option, parse_selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..records.data_check import Severity


@click.command(name="run")
@suite_argument
@runs_option
@click.option("--report/--no-report", default=True, help="Write reports when the run ends. [default: --report]")
@click.option("--strict", is_flag=True, help="Run nothing if `ftbench data check` finds a warning.")
@click.option("--allow-data-errors", is_flag=True, help="Run even if `ftbench data check` finds an error.")
@only_option
@exclude_option
@click.option("--shard", metavar="I/N", help="Run only shard I of N. Every machine splits the trials in the same way.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    suite: str,
    runs: str,
    *,
    report: bool,
    strict: bool,
    allow_data_errors: bool,
    only: Sequence[str],
    exclude: Sequence[str],
    shard: str | None,
) -> None:
    """Run the unfinished trials of SUITE, a TOML file.

    Each trial runs in its own process and writes a record, also if it fails; the other trials continue. Press Ctrl-C
    once to stop after the running trial, twice to stop immediately. Run the same command again to resume.

    The data are checked before the first trial: warnings are printed, errors stop the run.
    """
    from ..runner.runner import run_suite

    context = CommandContext.of(ctx)
    if strict and allow_data_errors:
        raise UserError("--strict and --allow-data-errors exclude each other; give one of them")
    tolerated: Severity = "note" if strict else "error" if allow_data_errors else "warning"
    parsed = context.suite(suite)
    # Fail before the trials start, not days later, if a report is not available.
    for name in REPORTS if report else ():
        context.catalog.build("reports", name, {})
    from ..runner.progress import ConsoleProgress

    context.plugins.register(ConsoleProgress(runs=Path(runs)), "console-progress")
    outcome = run_suite(
        parsed,
        context.plugins,
        context.selection,
        Path(runs),
        say,
        chosen=parse_selection(only, exclude, shard),
        tolerated=tolerated,
    )
    if outcome.ran == 0 and not outcome.interrupted and is_current(outcome):
        failed = sum(status in FAILED for status in outcome.statuses.values())
        note = f", {failed} of them failed" if failed else ""
        click.echo(f"nothing to do: {len(outcome.statuses)} of {outcome.planned} trials are done{note}")
        report = False
    finish(ctx, context.catalog, outcome, report=report)
