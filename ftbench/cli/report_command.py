"""`ftbench report`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import Setting
from .report_writing import Asked, write_reports

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


WATCHED = ("html",)
"""What `--watch` keeps up to date where no format is asked for."""


@click.command(name="report")
@click.argument("runs", metavar="RUN...", type=click.Path(), nargs=-1, required=True)
@click.option(
    "-f", "--format", "formats", multiple=True, metavar="NAME", help="html, markdown, csv, latex …; all by default."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False),
    help="Folder to write to; by default the run directory, or this one for several runs.",
)
@click.option("--baseline", metavar="LABEL", help="The strategy the others are compared with; `full` by default.")
@click.option("--examples/--no-examples", default=True, help="Show test items that were mistaken, or name them only.")
@click.option(
    "--allow-drift",
    "allowed",
    multiple=True,
    metavar="FIELD",
    help="Let several runs differ in a field, such as software.torch, or a whole part; may be repeated.",
)
@click.option("--open", "open_it", is_flag=True, help="Show the page in a browser.")
@click.option(
    "--watch",
    is_flag=True,
    help="Write anew whenever a trial ends, until all have or Ctrl-C; the page reads itself again.",
)
@click.pass_context
def command(  # noqa: PLR0917 - click hands arguments and options over by name
    ctx: click.Context,
    runs: Sequence[str],
    formats: Sequence[str],
    output: str | None,
    baseline: str | None,
    allowed: Sequence[str],
    *,
    examples: bool,
    open_it: bool,
    watch: bool,
) -> None:
    """Write the reports of RUN, a run directory or a bundle; of several, which must be comparable, on one page.

    Several runs must agree in data, protocol, software and hardware; where they do not, the differences are listed and the exit
    code is 5.
    """
    catalog = Setting.of(ctx).catalog
    paths = tuple(map(Path, runs))
    folder = Path(output) if output else paths[0] if len(paths) == 1 and paths[0].is_dir() else Path()
    asked = Asked(paths, folder, baseline, examples, tuple(allowed))
    if watch:
        from .report_watching import watched

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


def _open(paths: Sequence[Path]) -> None:
    page = next((path for path in paths if path.suffix == ".html"), paths[0])
    if not webbrowser.open(page.resolve().as_uri()):
        click.echo(f"no browser was found; open {page} yourself", err=True)
