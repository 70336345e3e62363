"""`ftbench report`."""

from __future__ import annotations

import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..api.catalog import option_names
from ..errors import UserError
from ..records.store import collector_paused
from .setting import Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..analysis.report import Report
    from ..analysis.summary import Summary
    from ..api.catalog import Catalog

LARGE = 3_000_000
"""Bytes of a report from which it is said that it is large."""
WATCHED = ("html",)
"""What `--watch` keeps up to date where no format is asked for."""


@dataclass(frozen=True)
class Asked:
    """What is to be summed up, and how."""

    runs: tuple[Path, ...]
    """Run directories and bundles."""
    output: Path
    baseline: str | None = None
    examples: bool = True
    """Whether test items that were mistaken are shown."""
    allowed: tuple[str, ...] = ()
    """Fields in which runs may differ."""


@click.command(name="report")
@click.argument("runs", metavar="RUN...", type=click.Path(), nargs=-1, required=True)
@click.option("-f", "--format", "formats", multiple=True, metavar="NAME", help="html, markdown, csv, latex …; all by default.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False),
    help="Folder to write to; by default the run directory, or this one for several runs.",
)
@click.option("--baseline", metavar="LABEL", help="The strategy the others are compared with; `full` by default.")
@click.option("--examples/--no-examples", default=True, help="Show test items that were mistaken, or name them only.")
@click.option(
    "--allow-drift", "allowed", multiple=True, metavar="FIELD",
    help="Let several runs differ in a field, such as software.torch, or a whole part; may be repeated.",
)  # fmt: skip
@click.option("--open", "open_it", is_flag=True, help="Show the page in a browser.")
@click.option("--watch", is_flag=True, help="Write anew whenever a trial ends, until all have or Ctrl-C; the page reads itself again.")
@click.pass_context
def command(  # noqa: PLR0917 - click hands arguments and options over by name
    ctx: click.Context, runs: Sequence[str], formats: Sequence[str], output: str | None, baseline: str | None, allowed: Sequence[str], *,
    examples: bool, open_it: bool, watch: bool,
) -> None:  # fmt: skip
    """Write the reports of RUN, a run directory or a bundle; of several, which must be comparable, on one page.

    Several runs must agree in data, protocol, software and hardware; where they do not, the differences are listed and the exit
    code is 5.
    """
    catalog = Setting.of(ctx).catalog
    paths = tuple(map(Path, runs))
    folder = Path(output) if output else paths[0] if len(paths) == 1 and paths[0].is_dir() else Path()
    asked = Asked(paths, folder, baseline, examples, tuple(allowed))
    if watch:
        from .watching import watched

        written = watched(catalog, formats or WATCHED, asked)
    else:
        written = iter([write_reports(catalog, formats or tuple(sorted(catalog.offers["reports"])), asked)[1]])
    try:
        _tell(written, open_it=open_it)
    except KeyboardInterrupt:
        # Watching ends so.
        if not watch:
            raise


def _tell(written: Iterable[list[Path]], *, open_it: bool) -> None:
    """Tell each path once, and open the first page."""
    shown: list[Path] = []
    for files in written:
        for path in files:
            if path not in shown:
                click.echo(str(path))
        if open_it and not shown:
            _open(files)
        shown = files


@collector_paused()
def write_reports(catalog: Catalog, formats: Sequence[str], asked: Asked, *, live: bool = False) -> tuple[Summary, list[Path]]:
    """Sum runs up and write them in every format.

    Args:
        catalog: what the plugins offer.
        formats: names of reports.
        asked: of what.
        live: whether reports with an option `live` get it while trials are missing: a page then reads itself again now and then.

    Raises:
        UserError: a run cannot be read, runs are not comparable, or the folder cannot be written to.
    """
    from ..analysis.run_summary import summarise_runs
    from ..analysis.target import UNFINISHED

    # Mistakes in names are told before anything is read.
    reports: dict[str, Report] = {name: catalog.build("reports", name, {}) for name in formats}
    summary = summarise_runs(asked.runs, asked.baseline, catalog if asked.examples else None, asked.allowed)
    if live and summary.statuses.get(UNFINISHED):
        reports |= {name: catalog.build("reports", name, {"live": True}) for name in reports if "live" in option_names(type(reports[name]))}
    try:
        asked.output.mkdir(parents=True, exist_ok=True)
        paths = [_whole(report, summary, asked.output) for report in reports.values()]
    except OSError as error:
        raise UserError(f"{asked.output}: cannot be written: {error.strerror}") from None
    for path in paths:
        if path.stat().st_size > LARGE:
            size = path.stat().st_size / 1e6
            click.echo(f"{path}: {size:.1f} MB are much for a browser; fewer runs, or --no-examples, make it smaller", err=True)
    return summary, paths


def _whole(report: Report, summary: Summary, folder: Path) -> Path:
    """Let a report be there as it was or as it will be, and never half of it."""
    import os
    import shutil

    beside = folder / f".report.{os.getpid()}"
    beside.mkdir()
    try:
        written = report.write(summary, beside)
        for made in beside.iterdir():
            place = folder / made.name
            if place.is_dir():
                shutil.rmtree(place)
            made.replace(place)
        return folder / written.relative_to(beside)
    finally:
        shutil.rmtree(beside)


def _open(paths: Sequence[Path]) -> None:
    page = next((path for path in paths if path.suffix == ".html"), paths[0])
    if not webbrowser.open(page.resolve().as_uri()):
        click.echo(f"no browser was found; open {page} yourself", err=True)
