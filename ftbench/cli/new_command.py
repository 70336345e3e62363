"""The `ftbench new` command."""

from __future__ import annotations

from pathlib import Path

import click

from ..data.new_suite import templates
from ..errors import UserError, suggestion
from ..formatting import visible
from .context import CommandContext


@click.group(name="new")
def command() -> None:
    """Create a suite from a template or for your own data."""


@command.command(name="suite")
@click.argument("template", required=False)
@click.option(
    "--task",
    help="Task for your own data, such as text-classification, image-classification or audio-classification.",
)
@click.option("--data", type=click.Path(), help="File or folder with your data.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    help="File to write. [default: TEMPLATE.toml, or the name of the data]",
)
@click.pass_context
def suite(ctx: click.Context, template: str | None, task: str | None, data: str | None, output: str | None) -> None:
    """Create a suite file from a template or for your own data.

    TEMPLATE is quickstart (the default), transfer, …; for your own data give --task and --data.
    """
    if (task is None) != (data is None) or (task and template):
        raise UserError("give a TEMPLATE, or both --task and --data")
    if task and data:
        path = _unused_path(output or f"{Path(data).resolve().stem}.toml")
        from ..data.new_suite import starting_suite

        text = starting_suite(CommandContext.of(ctx).catalog, task, data, path).encode()
    else:
        known = templates()
        template = template or "quickstart"
        if template not in known:
            raise UserError(f"no template is called {template!r}{suggestion(template, known)}")
        path = _unused_path(output or f"{template}.toml")
        text = known[template].read_bytes()
    path.write_bytes(text)
    click.echo(f"wrote {visible(str(path))}; run it with `ftbench run {visible(str(path))}`")


def _unused_path(name: str) -> Path:
    path = Path(name)
    if path.exists():
        raise UserError(f"{path}: exists already; choose another name with -o")
    return path
