"""The `ftbench list` command."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import click

from ..api.catalog import KINDS, option_names
from ..errors import UserError
from ..suite.search_space import what_is_tuned
from .context import CommandContext
from .light import light

if TYPE_CHECKING:
    from ..api.catalog import Catalog


@click.command(name="list")
@click.argument("kind", required=False, type=click.Choice(KINDS))
@click.pass_context
@light()
def command(ctx: click.Context, kind: str | None) -> None:
    """List what plugins offer: name, plugin, summary, options, licence and source.

    `ftbench list strategies` also shows which architecture each strategy supports.
    """
    catalog = CommandContext.of(ctx).catalog
    for one in [kind] if kind else KINDS:
        click.secho(one, bold=True)
        for name, cls in sorted(catalog.offers.get(one, {}).items()):
            _print(catalog, one, name, cls)
    if kind == "strategies":
        _print_support(catalog)
    for name, why in catalog.broken.items():
        click.secho(f"plugin {name} could not be loaded: {why}", fg="red", err=True)


def _print(catalog: Catalog, kind: str, name: str, cls: type) -> None:
    first = (inspect.getdoc(cls) or "").split("\n")[0]
    click.echo(f"  {click.style(name, fg='cyan')}  [{catalog.origins[kind, name]}]  {first}")
    options = option_names(cls)
    if options:
        click.echo(f"      options: {', '.join(options)}")
    for line in _origin(catalog, kind, name):
        click.echo(f"      {line}")


def _print_support(catalog: Catalog) -> None:
    from ..suite.support_matrix import refusals, support_matrix

    support = support_matrix(catalog)
    width = max(map(len, support.reasons), default=0)
    click.secho("strategy × architecture", bold=True)
    for number, architecture in enumerate(support.architectures):
        click.echo(" " * (width + 2) + "│ " * number + architecture)
    for name, reasons in support.reasons.items():
        click.echo(f"{name:<{width}}  " + " ".join("-" if reasons[a] else "+" for a in support.architectures))
    for line in refusals(*support.reasons.values()):
        click.echo(f"-: {line}")


def _origin(catalog: Catalog, kind: str, name: str) -> list[str]:
    """Return licence and source, if available without options; for a strategy, what it tunes."""
    if kind == "strategies":
        return [f"tunes: {what_is_tuned(catalog.find(kind, name))}"]
    if kind not in ("backbones", "tasks"):
        return []
    try:
        built: Any = catalog.build(kind, name, {})
        origin = built.card() if kind == "backbones" else built.provenance()
    except UserError:
        return []
    note = f" · {origin.note}" if origin.note else ""
    return [f"licence {origin.licence} · {origin.source}{note}"]
