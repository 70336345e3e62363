"""The `ftbench retry` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import CommandContext
from .trial_options import exclude_option, only_option, parse_selection

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(name="retry")
@click.argument("run", type=click.Path(file_okay=False))
@only_option
@exclude_option
@click.option("--report/--no-report", default=True, help="Write reports when the run ends. [default: --report]")
@click.pass_context
def command(ctx: click.Context, run: str, only: Sequence[str], exclude: Sequence[str], report: bool) -> None:
    """Rerun the failed trials of the run directory RUN; earlier attempts are kept.

    The suite comes from RUN. Give the same plugins with -p as for the run. A trial whose code or data have changed
    counts as a new trial: use `ftbench run` for it.
    """
    from ..records.run_files import resolved_suite
    from ..runner.progress import ConsoleProgress
    from ..runner.runner import run_suite
    from .run_results import finish

    context, folder = CommandContext.of(ctx), Path(run)
    suite = resolved_suite(folder)
    runs = folder.resolve().parent
    context.plugins.register(ConsoleProgress(runs=runs), "console-progress")
    outcome = run_suite(
        suite,
        context.plugins,
        context.selection,
        runs,
        chosen=parse_selection(only, exclude),
        again=True,
        tolerated="error",
    )
    if outcome.ran == 0 and not outcome.interrupted:
        click.echo("nothing to do: no trial of the suite has failed")
    finish(ctx, context.catalog, outcome, report=report and outcome.ran > 0)
