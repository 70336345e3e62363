"""Write the result of a gate to the terminal, JUnit XML, Markdown and GitHub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UserError
from ..hookspecs import hookimpl

if TYPE_CHECKING:
    from ..gate.formats import Gated
    from ..records.record import Record
    from ..suite.trial import Trial


@dataclass(frozen=True)
class Outputs:
    """Where to write the result of a gate."""

    junit: str | None
    """Path of the JUnit XML file."""
    markdown: str | None
    """Path of the Markdown file."""
    github: bool
    """Whether to print GitHub annotations and write the step summary."""
    everything: bool
    """Whether to print passing checks too."""

    def write(self, gated: Gated, suite: str | None) -> None:
        """Write the result; annotations refer to the suite file if it is known.

        Raises:
            UserError: a file cannot be written.
        """
        from ..formatting import collapsed
        from ..gate.formats import lines, markdown
        from ..gate.github import MOST, annotate, annotation, job_link, write_summary
        from ..gate.junit import junit

        for line in lines(gated, everything=self.everything):
            click.echo(line)
        if self.junit:
            _write(self.junit, junit(gated.checks, gated.suite, strict=gated.strict))
        if self.markdown:
            _write(self.markdown, markdown(gated, link=job_link()))
        if self.github:
            for line in annotate(gated.checks, suite):
                click.echo(line)
            for flaw in gated.data[:MOST]:
                click.echo(annotation("warning", "ftbench gate: data", collapsed(flaw), suite))
            write_summary(gated)

    def write_errors(self, error: UserError, suite: str | None) -> None:
        """Print the error as GitHub annotations if they are enabled."""
        from ..formatting import collapsed
        from ..gate.github import annotation

        for mistake in error.mistakes if self.github else ():
            click.echo(annotation("error", "ftbench gate", collapsed(mistake), suite))


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


@dataclass
class TrialLines:
    """Plugin that prints a line for each finished trial of one plugin version."""

    version: str

    @hookimpl
    def ftbench_trial_finished(self, trial: Trial, record: Record) -> None:
        """Print the trial's name, status and primary score."""
        score = record.measurement(record.primary)
        value = f"{record.primary} {score.value:.3f}" if score and score.value is not None else ""
        click.echo(f"{self.version:<10} {trial.name}  {record.status}  {value}", err=True)
