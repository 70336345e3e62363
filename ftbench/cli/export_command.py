"""`ftbench export`."""

from __future__ import annotations

from pathlib import Path

import click

from .context import Setting


@click.command(name="export")
@click.argument("run", type=click.Path(file_okay=False))
@click.argument("trial")
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--adapter", is_flag=True, help="Only what was trained beside the backbone, in peft's format.")
@click.pass_context
def command(ctx: click.Context, run: str, trial: str, folder: str, adapter: bool) -> None:
    """Write the model of TRIAL, the beginning of an id in the run directory RUN, to FOLDER.

    The model is trained again, as its record says, and its answers are compared with those recorded; then it is written
    as a directory that transformers' `from_pretrained` reads, with its tokenizer or processor and a model card.
    """
    from ..training.export import export

    exported = export(Path(run), trial, Path(folder), Setting.of(ctx).catalog, adapter=adapter)
    click.echo(
        f"wrote {exported.folder}: {exported.record.trial['target']}, {exported.record.trial['strategy']['label']}"
    )
    if exported.same:
        click.echo("it answers every test example as the record says")
    else:
        click.secho(
            "it does not answer every test example as the record says: code, software or machine differ",
            fg="yellow",
            err=True,
        )
