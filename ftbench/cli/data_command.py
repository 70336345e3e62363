"""The `ftbench data` command."""

from __future__ import annotations

import click

from ..errors import ExitCode
from ..formatting import visible
from .context import CommandContext, say, suite_argument

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


@click.group(name="data")
def command() -> None:
    """Check the data of a suite."""


@command.command(name="check")
@suite_argument
@click.option("--strict", is_flag=True, help="Exit with code 2 if there are errors or warnings.")
@click.pass_context
def check(ctx: click.Context, suite: str, strict: bool) -> None:
    """Check the data of SUITE for leaks between splits, wrong labels, empty or unreadable inputs, and more."""
    from ..data.downloads import fetch
    from ..data.suite_data import examine

    context = CommandContext.of(ctx)
    parsed = context.suite(suite)
    fetch(parsed, context.catalog, say)
    examined = examine(parsed, context.catalog)
    for one in examined:
        click.secho(one.task, bold=True)
        for flaw in one.flaws:
            click.echo(f"  {click.style(f'{flaw.severity:<7}', fg=COLOURS[flaw.severity])} {visible(flaw.text)}")
        if not one.flaws:
            click.echo("  no problems found")
    if not examined:
        click.echo(f"{visible(suite)}: no task uses your own data")
    grave = any(flaw.severity != "note" for one in examined for flaw in one.flaws)
    ctx.exit(ExitCode.USAGE if strict and grave else ExitCode.OK)
