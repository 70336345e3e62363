"""`ftbench leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..errors import ExitCode
from .context import Setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.report import Report

MOST = 50
"""Faults that are shown."""


@click.group(name="leaderboard")
def command() -> None:
    """Publish runs as a static site, and check what was published."""


@command.command(name="build")
@click.argument("results", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False), help="The folder of the site.")
@click.option(
    "--allow-drift",
    "drift",
    multiple=True,
    metavar="FIELD",
    help="Rank rows together that differ in this, such as software.pillow, or in all software; may be repeated.",
)
@click.pass_context
def build(ctx: click.Context, results: Sequence[str], output: str, drift: Sequence[str]) -> None:
    """Write a static site of RESULTS: run directories, bundles, and folders of bundles.

    Rows are ranked where suite, measuring version, device model and software are equal, and never across. The site holds the bundles
    that its numbers come from; the same RESULTS give the same bytes.
    """
    from ..leaderboard.site import build as build_site
    from ..leaderboard.submissions import gathered

    _check_drift(drift)
    reports = _reports(ctx)
    with gathered([Path(place) for place in results]) as entries:
        board = build_site(entries, reports, Path(output), __version__, drift)
    click.echo(f"runs: {len(board.runs)}, groups that are ranked: {len(board.groups)}", err=True)
    click.echo(str(Path(output) / "index.html"))


@command.command(name="verify")
@click.argument("site", type=click.Path(file_okay=False))
@click.pass_context
def verify(ctx: click.Context, site: str) -> None:
    """Compute every number of SITE again from its bundles; exit with 1, and a line for each fault, where something is not as it should be.

    Found are numbers and pages that were changed, bundles that were, seeds that count twice, trials that are missing, records whose
    fingerprints do not fit together, and scores that are not what the predictions come to.
    """
    from ..leaderboard.site import verify as verify_site

    checked = verify_site(Path(site), _reports(ctx), __version__)
    for fault in checked.faults[:MOST]:
        click.echo(fault)
    if len(checked.faults) > MOST:
        click.echo(f"{site}: and {len(checked.faults) - MOST} faults more")
    if not checked.faults:
        click.echo(
            f"{site}: all of it comes out of the bundles; runs: {checked.runs}, numbers: {checked.numbers:,}, pages: {checked.pages}"
        )
    ctx.exit(ExitCode.TRIALS_FAILED if checked.faults else ExitCode.OK)


@command.command(name="add")
@click.argument("run", metavar="RUN_OR_BUNDLE", type=click.Path())
@click.argument("results", type=click.Path(file_okay=False))
def add(run: str, results: str) -> None:
    """Check a run and put its bundle into the folder RESULTS, under a name that its content decides; for a pull request.

    Refused is what `verify` would not let through, and what is there already.
    """
    from ..leaderboard.submissions import add as add_result

    click.echo(str(add_result(Path(run), Path(results))))


def _check_drift(drift: Sequence[str]) -> None:
    from ..errors import UserError

    odd = [field for field in drift if field.partition(".")[0] != "software"]
    if odd:
        raise UserError(
            f"--allow-drift {odd[0]}: only software, or a part of it such as software.pillow, may differ within a group"
        )


def _reports(ctx: click.Context) -> list[Report]:
    catalog = Setting.of(ctx).catalog
    return [catalog.build("reports", name, {}) for name in sorted(catalog.offers["reports"])]
