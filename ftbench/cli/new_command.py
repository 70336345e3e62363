"""`ftbench new`."""

from __future__ import annotations

from pathlib import Path

import click

from ..data.new_suite import templates
from ..errors import UserError, suggestion
from .context import Setting


@click.group(name="new")
def command() -> None:
    """Write something to start from."""


@command.command(name="suite")
@click.argument("template", required=False)
@click.option(
    "--task", help="A task on your own data: text-classification, image-classification, audio-classification."
)
@click.option("--data", type=click.Path(), help="Your data: a file, or a folder.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    help="File to write; TEMPLATE.toml, or one called after the data.",
)
@click.pass_context
def suite(ctx: click.Context, template: str | None, task: str | None, data: str | None, output: str | None) -> None:
    """Copy the suite TEMPLATE (quickstart, transfer, …) into this folder, or write one for your own data."""
    if (task is None) != (data is None) or (task and template):
        raise UserError("give a TEMPLATE, or both --task and --data")
    if task and data:
        path = _free(output or f"{Path(data).resolve().stem}.toml")
        from ..data.new_suite import starting_suite

        text = starting_suite(Setting.of(ctx).catalog, task, data, path).encode()
    else:
        known = templates()
        template = template or "quickstart"
        if template not in known:
            raise UserError(f"no template is called {template!r}{suggestion(template, known)}")
        path = _free(output or f"{template}.toml")
        text = known[template].read_bytes()
    path.write_bytes(text)
    click.echo(f"wrote {path}; `ftbench run {path}` runs it")


def _free(name: str) -> Path:
    path = Path(name)
    if path.exists():
        raise UserError(f"{path}: exists already; give another name with -o")
    return path
