"""The `ftbench doctor` command."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..errors import ExitCode
from ..formatting import quantity, visible
from .context import CommandContext
from .light import light

if TYPE_CHECKING:
    from ..runner.doctor import Diagnosis


@click.command(name="doctor")
@click.argument("suite", required=False, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the diagnosis as one JSON object.")
@click.pass_context
@light()
def command(ctx: click.Context, suite: str | None, as_json: bool) -> None:
    """Show what this machine can and cannot measure, and why.

    With SUITE, also list what the suite needs but this machine lacks, and exit with code 1 if anything is missing.
    """
    from ..runner.doctor import diagnose
    from ..runner.local_plan import foresee_here

    context = CommandContext.of(ctx)
    parsed = context.suite(suite) if suite else None
    plan = None if parsed is None else lambda: foresee_here(parsed, context.plugins, context.catalog)
    diagnosis = diagnose(context.catalog, __version__, parsed, plan)
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(diagnosis), "well": diagnosis.well}, indent=1))
    else:
        _print(diagnosis, suite)
    ctx.exit(ExitCode.OK if diagnosis.well else ExitCode.TRIALS_FAILED)


def _print(diagnosis: Diagnosis, suite: str | None) -> None:
    click.secho("versions", bold=True)
    click.echo("  " + ", ".join(f"{name} {version}" for name, version in diagnosis.versions.items()))
    host = diagnosis.host
    click.secho("machine", bold=True)
    click.echo(
        f"  {host['cores']} cores, {quantity(host['memory'], 'B')} of memory, {quantity(host['memory_free'], 'B')} free"
    )
    click.echo(f"  {quantity(host['disk_free'], 'B')} free on the disk of {visible(str(host['cache']))}")
    for device in diagnosis.devices:
        free = "unknown" if device["memory_free"] is None else quantity(device["memory_free"], "B")
        divided = ", partitioned (MIG)" if device["divided"] else ""
        size = quantity(device["memory"], "B")
        click.echo(
            f"  cuda:{device['index']} {device['name']}, {size}, {free} free, driver {device['driver_major']}{divided}"
        )
    click.secho("measurements", bold=True)
    for ability in diagnosis.abilities:
        mark = click.style("yes", fg="green") if ability.possible else click.style("no ", fg="yellow")
        click.echo(f"  {mark} {ability.where:<7} {ability.what}{f': {ability.why}' if ability.why else ''}")
    for name, why in diagnosis.broken.items():
        click.secho(visible(f"plugin {name} cannot be loaded: {why}"), fg="red")
    if suite:
        click.secho(f"missing for {visible(suite)}", bold=True)
        for line in diagnosis.missing or ("nothing",):
            click.echo(f"  {visible(line)}")
