"""The `ftbench bundle` command."""

from __future__ import annotations

from pathlib import Path

import click

from ..formatting import visible


@click.command(name="bundle")
@click.argument("run", type=click.Path(file_okay=False))
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False), help="File to write, such as baseline.zip."
)
def command(run: str, output: str) -> None:
    """Pack records, predictions and the resolved suite of the run directory RUN into one file.

    The bundle is a zip file with the SHA-256 of each file in it. `compare` and `gate` accept a bundle in place of a run
    directory.
    """
    from ..records.bundle import pack
    from ..records.predictions import PREDICTIONS

    names = pack(Path(run), Path(output))
    records = sum(name.endswith("record.json") for name in names)
    predictions = sum(name.endswith(PREDICTIONS) for name in names)
    size = Path(output).stat().st_size / 2**20
    click.echo(f"{visible(output)}: {records} records, {predictions} prediction files, {size:.1f} MiB")
