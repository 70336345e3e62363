"""`ftbench validate`."""

from __future__ import annotations

import click

from .setting import Setting, suite_argument


@click.command(name="validate")
@suite_argument
@click.pass_context
def command(ctx: click.Context, suite: str) -> None:
    """Check SUITE: every mistake at once, a line each, exit code 2; nothing is written, and nothing downloaded."""
    from ..running import foresee_here

    setting = Setting.of(ctx)
    foreseen = foresee_here(setting.suite(suite), setting.plugins, setting.catalog)
    for line in foreseen.unknown:
        click.echo(f"note: {line}; `ftbench run` downloads it, and checks it then", err=True)
    known = f"{len(foreseen.trials)} trials"
    click.echo(f"{suite}: valid, {known if not foreseen.unknown else f'as far as can be told here; {known} are known, and more will be'}")
