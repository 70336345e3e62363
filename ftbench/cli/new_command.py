"""`ftbench new`."""

from __future__ import annotations

from pathlib import Path

import click

from ..catalog import suggestion
from ..errors import UserError
from ..templates import templates


@click.group(name="new")
def command() -> None:
    """Write something to start from."""


@command.command(name="suite")
@click.argument("template", default="quickstart")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="File to write; TEMPLATE.toml by default.")
def suite(template: str, output: str | None) -> None:
    """Copy the suite TEMPLATE (quickstart, transfer, …) into this folder."""
    known = templates()
    if template not in known:
        raise UserError(f"no template is called {template!r}{suggestion(template, known)}")
    path = Path(output or f"{template}.toml")
    if path.exists():
        raise UserError(f"{path}: exists already; give another name with -o")
    path.write_bytes(known[template].read_bytes())
    click.echo(f"wrote {path}; `ftbench run {path}` runs it")
