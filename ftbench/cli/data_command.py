"""The `ftbench data` command."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ..errors import ExitCode
from .context import CommandContext, suite_argument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..data.checks import Examined, Flaw

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
    from ..data.checks import examine
    from ..data.downloads import fetch

    context = CommandContext.of(ctx)
    parsed = context.suite(suite)
    fetch(parsed, context.catalog, partial(click.echo, err=True))
    examined = examine(parsed, context.catalog)
    for one in examined:
        click.secho(one.task, bold=True)
        for flaw in one.flaws:
            click.echo(f"  {line(flaw)}")
        if not one.flaws:
            click.echo("  no problems found")
    if not examined:
        click.echo(f"{suite}: no task uses your own data")
    ctx.exit(ExitCode.USAGE if strict and grave(examined) else ExitCode.OK)


def line(flaw: Flaw) -> str:
    """Format a data problem on one line: severity, count, kind, examples, advice."""
    severity = click.style(f"{flaw.severity:<7}", fg=COLOURS[flaw.severity])
    return f"{severity} {flaw.count:,} × {flaw.kind}: {', '.join(flaw.examples)}; {flaw.advice}"


def grave(examined: Iterable[Examined]) -> list[str]:
    """Return one line per error or warning."""
    return [f"{one.task}: {line(flaw)}" for one in examined for flaw in one.flaws if flaw.severity != "note"]
