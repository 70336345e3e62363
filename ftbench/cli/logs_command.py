"""`ftbench logs`."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(name="logs")
@click.argument("run", type=click.Path(file_okay=False))
@click.argument("trial")
@click.option("-f", "--follow", is_flag=True, help="Wait for more, until the trial has ended.")
@click.option("--attempt", type=click.IntRange(min=1), help="The number of the attempt; the last by default.")
def command(run: str, trial: str, follow: bool, attempt: int | None) -> None:
    """Show what TRIAL of the run directory RUN prints; TRIAL is the beginning of an id, or what only its name has.

    Of more than a few megabytes the beginning and the end are kept.
    """
    from ..records.trial_log import find_trial, printed

    for chunk in printed(find_trial(Path(run), trial), attempt, follow=follow):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
