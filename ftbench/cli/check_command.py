"""The `ftbench check` command."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ExitCode, UserError
from ..plugins import Plugins, Selection
from .context import CommandContext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..api.catalog import Catalog
    from ..testing.strategies import Finding


@click.group(name="check")
def command() -> None:
    """Test a strategy or a meter against its contract."""


@command.command(name="strategy")
@click.argument("name")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an option of the strategy, in TOML syntax. May be repeated.",
)
@click.option(
    "-b",
    "--backbone",
    "backbones",
    multiple=True,
    metavar="NAME",
    help="Test on this backbone. May be repeated. [default: all that need no options]",
)
@click.pass_context
def strategy(ctx: click.Context, name: str, options: tuple[str, ...], backbones: tuple[str, ...]) -> None:
    """Test a strategy on real backbones and data.

    NAME is a strategy, or a plugin file NAME.py, which tests each strategy it offers. What trains and what is stored is
    also tested with every value of every option that has a few.
    """
    catalog, names = _select(CommandContext.of(ctx), "strategies", name)
    settings = _parse_options(options)
    failed = 0
    for one in names:
        catalog.build("strategies", one, settings)
        for backbone, task in _backbones_with_tasks(catalog, backbones):
            failed += _check_strategy(catalog, one, settings, backbone, task)
    ctx.exit(ExitCode.TRIALS_FAILED if failed else ExitCode.OK)


@command.command(name="meter")
@click.argument("name")
@click.pass_context
def meter(ctx: click.Context, name: str) -> None:
    """Test a meter while training a few steps on the CPU.

    NAME is a meter, or a plugin file NAME.py, which tests each meter it offers.
    """
    from ..testing.strategies import check_meter

    catalog, names = _select(CommandContext.of(ctx), "meters", name)
    backbone, task = next(_backbones_with_tasks(catalog, ()), (None, None))
    if backbone is None or task is None:
        raise UserError("testing a meter needs an installed backbone that works without options, and there is none")
    failed = 0
    for one in names:
        click.secho(f"{one} on {backbone}, {task}", bold=True)
        make = partial(catalog.build, "meters", one, {})
        make()
        findings = check_meter(make, catalog.build("backbones", backbone, {}), catalog.build("tasks", task, {}))
        failed += _print_findings(findings)
    ctx.exit(ExitCode.TRIALS_FAILED if failed else ExitCode.OK)


def _select(context: CommandContext, kind: str, name: str) -> tuple[Catalog, list[str]]:
    """Return the catalog and the names to test: NAME itself, or everything a plugin file offers."""
    if not name.endswith(".py"):
        return context.catalog, [name]
    before = set(context.catalog.offers[kind])
    selection = Selection((*context.selection.files, str(Path(name).resolve())), context.selection.without)
    catalog = Plugins.discover(selection).catalog()
    names = sorted(set(catalog.offers[kind]) - before)
    if not names:
        raise UserError(f"{name}: offers no {'strategy' if kind == 'strategies' else 'meter'}")
    return catalog, names


def _parse_options(options: tuple[str, ...]) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads("\n".join(options))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"--option: expected KEY=VALUE in TOML syntax: {error}") from None


def _backbones_with_tasks(catalog: Catalog, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Pair each backbone with the first task of its modality, both with default options."""
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


def _check_strategy(catalog: Catalog, name: str, options: dict[str, Any], backbone: str, task: str) -> int:
    from ..testing.strategies import check_strategy
    from ..testing.variants import check_variants

    click.secho(f"{name} on {backbone}, {task}", bold=True)
    network, examples = catalog.build("backbones", backbone, {}), catalog.build("tasks", task, {})
    findings = check_strategy(lambda: catalog.build("strategies", name, options), network, examples, catalog)
    failed = _print_findings(findings)
    others = check_variants(name, options, network, examples, catalog)
    broken = [finding for finding in others if not finding.passed]
    if len(others) > len(broken):
        values = len({finding.property.partition(": ")[0] for finding in others})
        click.echo(f"  with {values} other values of options: {len(others) - len(broken)} properties hold")
    return failed + _print_findings(broken)


def _print_findings(findings: list[Finding]) -> int:
    """Print findings and return how many properties failed."""
    for finding in findings:
        click.echo(f"  {_format_finding(finding)}")
    return sum(not finding.passed for finding in findings)


def _format_finding(finding: Finding) -> str:
    mark = click.style("passed", fg="green") if finding.passed else click.style("FAILED", fg="red")
    figure = "" if finding.figure is None else f": {finding.figure:.3g}"
    tolerance = "" if finding.tolerance is None else f" (at most {finding.tolerance:g})"
    detail = f"; {finding.detail}" if finding.detail else ""
    return f"{mark} {finding.property}{figure}{tolerance}{detail}"
