"""`ftbench validate`."""

from __future__ import annotations

import click

from .context import CommandContext, suite_argument


@click.command(name="validate")
@suite_argument
@click.pass_context
def command(ctx: click.Context, suite: str) -> None:
    """Check SUITE: every mistake at once, a line each, exit code 2; nothing is written, and nothing downloaded."""
    from ..runner.runner import foresee_here
    from ..suite.tuner import Tuner

    context = CommandContext.of(ctx)
    parsed = context.suite(suite)
    foreseen = foresee_here(parsed, context.plugins, context.catalog)
    course = Tuner(parsed, foreseen.trials, context.catalog).course(lambda *_: None)
    for line in foreseen.unknown:
        click.echo(f"note: {line}; `ftbench run` downloads it, and checks it then", err=True)
    known = f"{course.size} trials"
    tries = sum(trial.role == "try" for trial in course.trials) + sum(one.tries for one in course.untold)
    known += f", {tries} of them tries" if tries else ""
    click.echo(
        f"{suite}: valid, {known if not foreseen.unknown else f'as far as can be told here; {known} are known, and more will be'}"
    )
