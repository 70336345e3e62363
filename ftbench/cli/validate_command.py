"""The `ftbench validate` command."""

from __future__ import annotations

import click

from ..formatting import visible
from .context import CommandContext, suite_argument
from .light import light


@click.command(name="validate")
@suite_argument
@click.pass_context
@light()
def command(ctx: click.Context, suite: str) -> None:
    """Check SUITE and report all errors, one per line; exit with code 2 if there are any.

    Nothing is written or downloaded.
    """
    from ..runner.local_plan import foresee_here
    from ..suite.tuner import Tuner

    context = CommandContext.of(ctx)
    parsed = context.suite(suite)
    foreseen = foresee_here(parsed, context.plugins, context.catalog)
    schedule = Tuner(parsed, foreseen.trials, context.catalog).course(lambda *_: None)
    for line in foreseen.unknown:
        click.echo(f"note: {line}; `ftbench run` downloads and checks it", err=True)
    count = f"{schedule.size} trials"
    tuning_trials = sum(trial.role == "try" for trial in schedule.trials) + sum(one.tries for one in schedule.untold)
    if tuning_trials:
        count += f", {tuning_trials} of them tuning trials"
    if foreseen.unknown:
        click.echo(f"{visible(suite)}: valid so far, {count} known; more are known after the download")
    else:
        click.echo(f"{visible(suite)}: valid, {count}")
