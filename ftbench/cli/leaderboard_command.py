"""The `ftbench leaderboard` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..errors import ExitCode
from .context import CommandContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.report import Report

MAX_FAULTS = 50
"""Largest number of faults printed."""


@click.group(name="leaderboard")
def command() -> None:
    """Build and verify a static leaderboard site."""


@command.command(name="build")
@click.argument("results", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False), help="Folder to write the site to.")
@click.option(
    "--allow-drift",
    "drift",
    multiple=True,
    metavar="FIELD",
    help="Rank rows together even if they differ in FIELD: software, or part of it such as software.pillow. "
    "May be repeated.",
)
@click.pass_context
def build(ctx: click.Context, results: Sequence[str], output: str, drift: Sequence[str]) -> None:
    """Build a static site from runs and bundles.

    RESULTS are run directories, bundles, and folders of bundles.

    Rows are ranked only within a group of equal suite, measuring version, device model and software. The site contains
    the bundles its numbers come from. The same RESULTS give the same bytes.
    """
    from ..leaderboard.site import build as build_site
    from ..leaderboard.submissions import gathered

    _check_drift(drift)
    reports, catalog = _reports(ctx), CommandContext.of(ctx).catalog
    with gathered([Path(place) for place in results], catalog) as entries:
        board = build_site(entries, reports, Path(output), __version__, drift)
    click.echo(f"runs: {len(board.runs)}, comparable groups: {len(board.groups)}", err=True)
    click.echo(str(Path(output) / "index.html"))


@command.command(name="verify")
@click.argument("site", type=click.Path(file_okay=False))
@click.pass_context
def verify(ctx: click.Context, site: str) -> None:
    """Recompute every number of a site from its bundles.

    Print each fault and exit with code 1 if there are any. Faults are changed numbers, pages or bundles, seeds counted
    twice, missing trials, records with inconsistent fingerprints, and scores that do not follow from the predictions.
    """
    from ..leaderboard.site import verify as verify_site

    checked = verify_site(Path(site), _reports(ctx), __version__, CommandContext.of(ctx).catalog)
    for fault in checked.faults[:MAX_FAULTS]:
        click.echo(fault)
    if len(checked.faults) > MAX_FAULTS:
        click.echo(f"{site}: and {len(checked.faults) - MAX_FAULTS} more faults")
    if not checked.faults:
        click.echo(f"{site}: verified; runs: {checked.runs}, numbers: {checked.numbers:,}, pages: {checked.pages}")
    ctx.exit(ExitCode.TRIALS_FAILED if checked.faults else ExitCode.OK)


@command.command(name="add")
@click.argument("run", metavar="RUN_OR_BUNDLE", type=click.Path())
@click.argument("results", type=click.Path(file_okay=False))
def add(run: str, results: str) -> None:
    """Check a run and add its bundle to a folder.

    Use this to submit a run to the folder RESULTS in a pull request. The file name depends on the content. A run that
    `verify` would reject, or that is already in RESULTS, is refused.
    """
    from ..leaderboard.submissions import add as add_result

    click.echo(str(add_result(Path(run), Path(results))))


def _check_drift(drift: Sequence[str]) -> None:
    from ..errors import UserError

    odd = [field for field in drift if field.partition(".")[0] != "software"]
    if odd:
        raise UserError(
            f"--allow-drift {odd[0]}: only software, or part of it such as software.pillow, may differ within a group"
        )


def _reports(ctx: click.Context) -> list[Report]:
    catalog = CommandContext.of(ctx).catalog
    return [catalog.build("reports", name, {}) for name in sorted(catalog.offers["reports"])]
