"""`ftbench retry`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import Setting
from .trial_options import chosen, exclude_option, only_option

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(name="retry")
@click.argument("run", type=click.Path(file_okay=False))
@only_option
@exclude_option
@click.option("--report/--no-report", default=True, help="Write the reports afterwards.")
@click.pass_context
def command(ctx: click.Context, run: str, only: Sequence[str], exclude: Sequence[str], report: bool) -> None:
    """Run the failed trials of the run directory RUN once more; what came of them before is kept with their attempts.

    The suite is taken as RUN has it. Plugins that were given with -p are given again. A trial whose code or data have changed since
    is another trial: `ftbench run` runs it.
    """
    from ..records.run_files import resolved_suite
    from ..runner.progress import ConsoleProgress
    from ..runner.runner import run_suite
    from .run_results import end

    setting, folder = Setting.of(ctx), Path(run)
    suite = resolved_suite(folder)
    setting.plugins.register(ConsoleProgress(), "console-progress")
    outcome = run_suite(
        suite, setting.plugins, setting.selection, folder.resolve().parent, chosen=chosen(only, exclude), again=True
    )
    if outcome.ran == 0 and not outcome.interrupted:
        click.echo("nothing to do: no trial failed that the suite still plans")
    end(ctx, setting.catalog, outcome, report=report and outcome.ran > 0)
