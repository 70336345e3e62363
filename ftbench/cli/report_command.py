"""The `ftbench report` command."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..formatting import visible
from .context import CommandContext
from .report_writing import ReportRequest, watch_reports, write_reports

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


WATCH_FORMATS = ("html",)
"""Formats that `--watch` writes if no format is given."""


@click.command(name="report")
@click.argument("runs", metavar="RUN...", type=click.Path(), nargs=-1, required=True)
@click.option(
    "-f",
    "--format",
    "formats",
    multiple=True,
    metavar="NAME",
    help="Report format: html, markdown, csv, latex, … May be repeated. [default: all]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False),
    help="Folder to write to. [default: the run directory, or the current folder for several runs]",
)
@click.option("--baseline", metavar="LABEL", help="Strategy to compare the others with. [default: full]")
@click.option(
    "--examples/--no-examples",
    default=True,
    help="Show test items with wrong predictions, or list only their ids. [default: --examples]",
)
@click.option(
    "--allow-drift",
    "allowed",
    multiple=True,
    metavar="FIELD",
    help="Allow a field such as software.torch, or a whole section, to differ. May be repeated.",
)
@click.option(
    "--style",
    metavar="NAME",
    help="Style of formats that have several; latex: full, or compact for one table of strategies and tasks.",
)
@click.option("--open", "open_it", is_flag=True, help="Open the HTML report in a browser.")
@click.option(
    "--watch",
    is_flag=True,
    help="Regenerate reports after each trial until all are done or Ctrl-C. The page reloads itself.",
)
@click.pass_context
def command(  # noqa: PLR0917 - click passes arguments and options by name
    ctx: click.Context,
    runs: Sequence[str],
    formats: Sequence[str],
    output: str | None,
    baseline: str | None,
    allowed: Sequence[str],
    style: str | None,
    *,
    examples: bool,
    open_it: bool,
    watch: bool,
) -> None:
    """Write reports of one or more runs.

    RUN is a run directory or a bundle. Several runs are shown on one page; their data, protocol, software and hardware
    must be equal. Otherwise the command lists the differences and exits with code 5.
    """
    catalog = CommandContext.of(ctx).catalog
    paths = tuple(map(Path, runs))
    folder = Path(output) if output else paths[0] if len(paths) == 1 and paths[0].is_dir() else Path()
    request = ReportRequest(paths, folder, baseline, examples, tuple(allowed), style)
    if watch:
        written = watch_reports(catalog, formats or WATCH_FORMATS, request)
    else:
        summary, files = write_reports(catalog, formats or tuple(sorted(catalog.offers["reports"])), request)
        written = iter([files])
        if sys.stdout.isatty():
            from .verdict_table import print_verdicts

            print_verdicts(summary)
    try:
        _print_paths(written, open_it=open_it)
    except KeyboardInterrupt:
        # Ctrl-C is the normal way to stop watching.
        if not watch:
            raise


def _print_paths(written: Iterable[list[Path]], *, open_it: bool) -> None:
    """Print each path once, and open the first page if `open_it` is true."""
    shown: list[Path] = []
    for files in written:
        for path in files:
            if path not in shown:
                click.echo(visible(str(path)))
        if open_it and not shown:
            _open(files)
        shown = files


def _open(paths: Sequence[Path]) -> None:
    page = next((path for path in paths if path.suffix == ".html"), paths[0])
    if not webbrowser.open(page.resolve().as_uri()):
        click.echo(f"no browser found; open {visible(str(page))} manually", err=True)
