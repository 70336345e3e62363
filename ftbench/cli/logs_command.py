"""The `ftbench logs` command."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..formatting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NEW_LINE = re.compile(r"\r*\n|\r+(?!\n)(?=.)", re.DOTALL)
"""Ends of lines; a progress bar returns to the beginning of its line instead."""
_LONGEST = 2**20
_KEPT = "\t"


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

    for text in _safe_lines(printed(find_trial(Path(run), trial), attempt, follow=follow)):
        click.echo(text, nl=False)


def _safe_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Return a log as text without control characters; a line is printed once it is complete."""
    decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
    for chunk in chunks:
        lines = _NEW_LINE.split(rest + decoder.decode(chunk))
        rest = lines.pop()
        if len(rest) > _LONGEST:
            lines, rest = [*lines, rest], ""
        yield "".join(f"{visible(line, _KEPT)}\n" for line in lines)
    yield visible(rest + decoder.decode(b"", final=True), _KEPT)
