"""`ftbench data`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ..errors import ExitCode
from .context import Setting, suite_argument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..data.checks import Examined, Flaw

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


@click.group(name="data")
def command() -> None:
    """Look at the data of a suite."""


@command.command(name="check")
@suite_argument
@click.option("--strict", is_flag=True, help="Exit with 2 where there is an error or a warning.")
@click.pass_context
def check(ctx: click.Context, suite: str, strict: bool) -> None:
    """Look for what is wrong with the data of SUITE: leaks between splits, labels, empty and unreadable inputs, and more."""
    from ..data.checks import examine
    from ..data.downloads import fetch

    setting = Setting.of(ctx)
    parsed = setting.suite(suite)
    fetch(parsed, setting.catalog, partial(click.echo, err=True))
    examined = examine(parsed, setting.catalog)
    for one in examined:
        click.secho(one.task, bold=True)
        for flaw in one.flaws:
            click.echo(f"  {line(flaw)}")
        if not one.flaws:
            click.echo("  nothing was found")
    if not examined:
        click.echo(f"{suite}: no task on one's own data")
    ctx.exit(ExitCode.USAGE if strict and grave(examined) else ExitCode.OK)


def line(flaw: Flaw) -> str:
    """Write a flaw in one line: severity, count, kind, examples, what to do."""
    severity = click.style(f"{flaw.severity:<7}", fg=COLOURS[flaw.severity])
    return f"{severity} {flaw.count:,} × {flaw.kind}: {', '.join(flaw.examples)}; {flaw.advice}"


def grave(examined: Iterable[Examined]) -> list[str]:
    """List the errors and warnings, a line each."""
    return [f"{one.task}: {line(flaw)}" for one in examined for flaw in one.flaws if flaw.severity != "note"]
