"""The `ftbench leaderboard` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..errors import ExitCode
from ..formatting import visible
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
    from ..leaderboard.reruns import read_reruns
    from ..leaderboard.site import build as build_site
    from ..leaderboard.submissions import gathered

    _check_drift(drift)
    reports, catalog = _reports(ctx), CommandContext.of(ctx).catalog
    reruns = {sha256: one for place in results for sha256, one in read_reruns(Path(place)).items()}
    with gathered([Path(place) for place in results], catalog) as entries:
        board = build_site(entries, reports, Path(output), __version__, drift, reruns=reruns)
    click.echo(f"runs: {len(board.runs)}, comparable groups: {len(board.groups)}", err=True)
    click.echo(visible(str(Path(output) / "index.html")))


@command.command(name="verify")
@click.argument("site", type=click.Path(file_okay=False))
@click.option(
    "--rerun", "number", type=click.IntRange(min=1), metavar="N", help="Also train N randomly drawn trials again."
)
@click.option("--rerun-seed", "seed", type=int, help="Seed of the draw. [default: a random one, which is printed]")
@click.option("--by", metavar="NAME", help="With --rerun: publish on the site that NAME has trained them again.")
@click.pass_context
def verify(ctx: click.Context, site: str, number: int | None, seed: int | None, by: str | None) -> None:
    """Recompute every number of a site from its bundles.

    Print each fault and exit with code 1 if there are any. Faults are changed numbers, pages or bundles, trials that
    are published twice, missing trials, records with inconsistent fingerprints, scores that do not follow from the
    predictions, and files that `build` does not write.

    With --rerun, N trials are trained again on this machine: it needs their data, weights and plugins. On equal
    software, predictions must be equal bit for bit; otherwise the differences are named, and exact figures and the
    share of equal predictions are compared.
    """
    from ..errors import UserError
    from ..leaderboard.site import verify as verify_site

    if number is None and (seed is not None or by is not None):
        raise UserError("--rerun-seed and --by need --rerun N")
    context = CommandContext.of(ctx)
    checked = verify_site(Path(site), _reports(ctx), __version__, context.catalog)
    faults = checked.faults
    if not faults and number is not None:
        faults = _rerun(ctx, Path(site), number, seed, by)
    for fault in faults[:MAX_FAULTS]:
        click.echo(visible(fault))
    if len(faults) > MAX_FAULTS:
        click.echo(f"{visible(site)}: and {len(faults) - MAX_FAULTS} more faults")
    if not faults:
        click.echo(
            f"{visible(site)}: verified; runs: {checked.runs}, numbers: {checked.numbers:,}, pages: {checked.pages}"
        )
    ctx.exit(ExitCode.TRIALS_FAILED if faults else ExitCode.OK)


def _rerun(ctx: click.Context, site: Path, number: int, seed: int | None, by: str | None) -> tuple[str, ...]:
    """Train trials of a site again; publish who did it if `by` is given; return the faults."""
    import secrets

    from ..formatting import one_line
    from ..leaderboard.site import build as build_site
    from ..leaderboard.site import drift_of
    from ..leaderboard.submissions import gathered
    from .leaderboard_rerun import rerun

    context = CommandContext.of(ctx)
    # Nobody can know beforehand which trials a random seed draws.
    seed = secrets.randbelow(2**31) if seed is None else seed
    with gathered([site / "bundles"], context.catalog) as entries:
        trained = rerun(context, entries, number, seed, by or "")
        for one in trained.reruns.values():
            click.echo(one_line(f"trained again: {one.said}"))
        if by and trained.reruns and not trained.faults:
            build_site(entries, _reports(ctx), site, __version__, drift_of(site), reruns=trained.reruns)
    return tuple(map(one_line, trained.faults))


@command.command(name="add")
@click.argument("run", metavar="RUN_OR_BUNDLE", type=click.Path())
@click.argument("results", type=click.Path(file_okay=False))
def add(run: str, results: str) -> None:
    """Check a run and add its bundle to a folder.

    Use this to submit a run to the folder RESULTS in a pull request. The file name depends on the content. A run that
    `verify` would reject, or that is already in RESULTS, is refused.
    """
    from ..leaderboard.submissions import add as add_result

    click.echo(visible(str(add_result(Path(run), Path(results)))))


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
