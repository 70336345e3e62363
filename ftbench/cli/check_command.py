"""`ftbench check`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ExitCode, UserError
from ..plugins import Plugins, Selection
from .context import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..api.catalog import Catalog
    from ..testing.strategies import Finding


@click.group(name="check")
def command() -> None:
    """Check a plugin against what its contract promises."""


@command.command(name="strategy")
@click.argument("name")
@click.option(
    "-o", "--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the strategy, as in TOML."
)
@click.option(
    "-b",
    "--backbone",
    "backbones",
    multiple=True,
    metavar="NAME",
    help="Backbones to check on; every one that needs no options by default.",
)
@click.pass_context
def strategy(ctx: click.Context, name: str, options: tuple[str, ...], backbones: tuple[str, ...]) -> None:
    """Check the strategy NAME, or every strategy of the plugin file NAME.py, on real backbones and data."""
    catalog, names = _named(Setting.of(ctx), "strategies", name)
    given = _parsed(options)
    failed = 0
    for one in names:
        catalog.build("strategies", one, given)
        for backbone, task in _grounds(catalog, backbones):
            failed += _check(catalog, one, given, backbone, task)
    ctx.exit(ExitCode.TRIALS_FAILED if failed else ExitCode.OK)


@command.command(name="meter")
@click.argument("name")
@click.pass_context
def meter(ctx: click.Context, name: str) -> None:
    """Check the meter NAME, or every meter of the plugin file NAME.py, on a real training of a few steps on the CPU."""
    from ..testing.strategies import check_meter

    catalog, names = _named(Setting.of(ctx), "meters", name)
    backbone, task = next(_grounds(catalog, ()), (None, None))
    if backbone is None or task is None:
        raise UserError("no backbone that needs no options is installed: a meter is checked on a real training")
    failed = 0
    for one in names:
        click.secho(f"{one} on {backbone}, {task}", bold=True)
        made = partial(catalog.build, "meters", one, {})
        made()
        findings = check_meter(made, catalog.build("backbones", backbone, {}), catalog.build("tasks", task, {}))
        failed += _told(findings)
    ctx.exit(ExitCode.TRIALS_FAILED if failed else ExitCode.OK)


def _named(setting: Setting, kind: str, name: str) -> tuple[Catalog, list[str]]:
    """Give the catalog, and the offers that are meant: one by its name, or all of a plugin file."""
    if not name.endswith(".py"):
        return setting.catalog, [name]
    before = set(setting.catalog.offers[kind])
    selection = Selection((*setting.selection.files, str(Path(name).resolve())), setting.selection.without)
    catalog = Plugins.discover(selection).catalog()
    names = sorted(set(catalog.offers[kind]) - before)
    if not names:
        raise UserError(f"{name}: offers no {'strategy' if kind == 'strategies' else 'meter'}")
    return catalog, names


def _parsed(options: tuple[str, ...]) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads("\n".join(options))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"--option: not KEY=VALUE as in TOML: {error}") from None


def _grounds(catalog: Catalog, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Pair each backbone with the first task of its modality; both as they are without options."""
    tasks: dict[str, str] = {}
    for name, cls in sorted(catalog.offers["tasks"].items()):
        if not catalog.mistakes(cls, {}):
            tasks.setdefault(cls.modality, name)  # type: ignore[attr-defined]  # every task has one
    for name in names or sorted(catalog.offers["backbones"]):
        try:
            card = catalog.build("backbones", name, {}).card()
        except UserError:
            if names:
                raise
            continue
        if card.modality in tasks:
            yield name, tasks[card.modality]


def _check(catalog: Catalog, name: str, options: dict[str, Any], backbone: str, task: str) -> int:
    from ..testing.strategies import check_strategy

    click.secho(f"{name} on {backbone}, {task}", bold=True)
    findings = check_strategy(
        lambda: catalog.build("strategies", name, options),
        catalog.build("backbones", backbone, {}),
        catalog.build("tasks", task, {}),
        catalog,
    )
    return _told(findings)


def _told(findings: list[Finding]) -> int:
    """Print findings; gives how many properties are broken."""
    for finding in findings:
        click.echo(f"  {_line(finding)}")
    return sum(not finding.passed for finding in findings)


def _line(finding: Finding) -> str:
    mark = click.style("kept  ", fg="green") if finding.passed else click.style("BROKEN", fg="red")
    figure = "" if finding.figure is None else f": {finding.figure:.3g}"
    tolerance = "" if finding.tolerance is None else f" (at most {finding.tolerance:g})"
    detail = f"; {finding.detail}" if finding.detail else ""
    return f"{mark} {finding.property}{figure}{tolerance}{detail}"
