"""`ftbench report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .setting import Setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..catalog import Catalog
    from ..report import Report
    from ..summary import Summary


@click.command(name="report")
@click.argument("run", type=click.Path(file_okay=False))
@click.option("-f", "--format", "formats", multiple=True, metavar="NAME", help="html, markdown, csv …; all by default.")
@click.option("-o", "--output", type=click.Path(file_okay=False), help="Folder to write to; the run directory by default.")
@click.option("--baseline", metavar="LABEL", help="The strategy the others are compared with; `full` by default.")
@click.option("--examples/--no-examples", default=True, help="Show test items that were mistaken, or name them only.")
@click.pass_context
def command(ctx: click.Context, run: str, formats: Sequence[str], output: str | None, baseline: str | None, *, examples: bool) -> None:
    """Write the reports of the run directory RUN."""
    catalog = Setting.of(ctx).catalog
    names = formats or tuple(sorted(catalog.offers["reports"]))
    _, paths = write_reports(catalog, Path(run), names, Path(output) if output else None, baseline, examples=examples)
    for path in paths:
        click.echo(str(path))


def write_reports(
    catalog: Catalog,
    run: Path,
    formats: Sequence[str],
    output: Path | None = None,
    baseline: str | None = None,
    *,
    examples: bool = True,
) -> tuple[Summary, list[Path]]:
    """Sum a run up and write it in every format, with the test items that were mistaken unless `examples` says no."""
    from ..notebook import read_summary

    reports: list[Report] = [catalog.build("reports", name, {}) for name in formats]
    summary = read_summary(run, baseline, catalog if examples else None)
    folder = output or run
    folder.mkdir(parents=True, exist_ok=True)
    return summary, [_whole(report, summary, folder) for report in reports]


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
