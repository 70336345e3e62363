"""`ftbench validate`."""

from __future__ import annotations

import click

from .setting import Setting, suite_argument


@click.command(name="validate")
@suite_argument
@click.pass_context
def command(ctx: click.Context, suite: str) -> None:
    """Check SUITE: every mistake at once, a line each, exit code 2; nothing is written."""
    from ..running import plan_here

    setting = Setting.of(ctx)
    trials = plan_here(setting.suite(suite), setting.plugins, setting.catalog)
    click.echo(f"{suite}: valid, {len(trials)} trials")
