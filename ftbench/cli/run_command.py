"""The `ftbench run` command."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import SuiteError
from ..records.record import FAILED
from .context import CommandContext, runs_option, suite_argument
from .run_results import REPORTS, finish, is_current
from .trial_options import exclude_option, only_option, parse_selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..suite.suite import Suite


@click.command(name="run")
@suite_argument
@runs_option
@click.option("--report/--no-report", default=True, help="Write reports when the run ends. [default: --report]")
@click.option("--strict", is_flag=True, help="Run nothing if `ftbench data check` finds an error or a warning.")
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
    only: Sequence[str],
    exclude: Sequence[str],
    shard: str | None,
) -> None:
    """Run the unfinished trials of SUITE, a TOML file.

    Each trial runs in its own process and writes a record, also if it fails; the other trials continue. Press Ctrl-C
    once to stop after the running trial, twice to stop immediately. Run the same command again to resume.
    """
    from ..runner.runner import run_suite

    context = CommandContext.of(ctx)
    parsed = context.suite(suite)
    _check_data(context, parsed, strict=strict)
    # Fail before the trials start, not days later, if a report is not available.
    for name in REPORTS if report else ():
        context.catalog.build("reports", name, {})
    from ..runner.progress import ConsoleProgress

    context.plugins.register(ConsoleProgress(runs=Path(runs)), "console-progress")
    outcome = run_suite(
        parsed, context.plugins, context.selection, Path(runs), chosen=parse_selection(only, exclude, shard)
    )
    if outcome.ran == 0 and not outcome.interrupted and is_current(outcome):
        failed = sum(status in FAILED for status in outcome.statuses.values())
        note = f", {failed} of them failed" if failed else ""
        click.echo(f"nothing to do: {len(outcome.statuses)} of {outcome.planned} trials are done{note}")
        report = False
    finish(ctx, context.catalog, outcome, report=report)


def _check_data(context: CommandContext, suite: Suite, *, strict: bool) -> None:
    """Report data problems before the first trial starts.

    Raises:
        SuiteError: data cannot be downloaded or read, or `strict` is set and the data have errors or warnings.
    """
    from ..data.checks import examine
    from ..data.downloads import fetch
    from .data_command import grave

    fetch(suite, context.catalog, partial(click.echo, err=True))
    found = grave(examine(suite, context.catalog))
    if found and strict:
        raise SuiteError(*(f"{suite.source}: {click.unstyle(line)}" for line in found))
    for line in found:
        click.echo(f"data: {line}", err=True)
