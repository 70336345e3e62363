"""The `ftbench export` command."""

from __future__ import annotations

from pathlib import Path

import click

from ..formatting import visible
from .context import CommandContext


@click.command(name="export")
@click.argument("run", type=click.Path(file_okay=False))
@click.argument("trial")
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--adapter", is_flag=True, help="Export only the trained adapter, in PEFT format.")
@click.pass_context
def command(ctx: click.Context, run: str, trial: str, folder: str, adapter: bool) -> None:
    """Export the model of a trial to FOLDER.

    RUN is a run directory and TRIAL the beginning of a trial id in it.

    The model is retrained as its record describes and its predictions are compared with the recorded ones. It is then
    saved for `from_pretrained` of transformers, with its tokenizer or processor and a model card, and read back: if
    transformers or PEFT gives other outputs, nothing is exported.
    """
    from ..training.export import export

    exported = export(Path(run), trial, Path(folder), CommandContext.of(ctx).catalog, adapter=adapter)
    click.echo(
        visible(
            f"wrote {exported.folder}: {exported.record.trial['target']}, {exported.record.trial['strategy']['label']}"
        )
    )
    if exported.same:
        click.echo("all test predictions match the record")
    else:
        click.secho(
            "some test predictions differ from the record: the code, the software or the machine has changed",
            fg="yellow",
            err=True,
        )
