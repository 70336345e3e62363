"""The `ftbench logs` command."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(name="logs")
@click.argument("run", type=click.Path(file_okay=False))
@click.argument("trial")
@click.option("-f", "--follow", is_flag=True, help="Wait for more output until the trial ends.")
@click.option("--attempt", type=click.IntRange(min=1), help="Number of the attempt. [default: the last]")
def command(run: str, trial: str, follow: bool, attempt: int | None) -> None:
    """Show the output of a trial.

    RUN is a run directory. TRIAL is the beginning of a trial id, or text that occurs in the name of one trial only. Of
    output longer than a few megabytes, only the beginning and the end are kept.
    """
    from ..records.trial_log import find_trial, printed

    for chunk in printed(find_trial(Path(run), trial), attempt, follow=follow):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
