"""Where what a gate found is written: the terminal, JUnit, Markdown, GitHub."""

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
    """The files and places that were asked for."""

    junit: str | None
    markdown: str | None
    github: bool
    everything: bool

    def tell(self, gated: Gated, suite: str | None) -> None:
        """Write what was found; annotations are shown at the file of the suite, where it is known.

        Raises:
            UserError: a file cannot be written.
        """
        from ..gate.formats import lines, markdown
        from ..gate.github import annotate, write_summary
        from ..gate.junit import junit

        for line in lines(gated, everything=self.everything):
            click.echo(line)
        if self.junit:
            _write(self.junit, junit(gated.checks, gated.suite, strict=gated.strict))
        if self.markdown:
            _write(self.markdown, markdown(gated))
        if self.github:
            for line in annotate(gated.checks, suite):
                click.echo(line)
            write_summary(gated)

    def tell_mistakes(self, error: UserError, suite: str | None) -> None:
        """Annotate why nothing could be held, where annotations were asked for."""
        from ..gate.formats import flat
        from ..gate.github import annotation

        for mistake in error.mistakes if self.github else ():
            click.echo(annotation("error", "ftbench gate", flat(mistake), suite))


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


@dataclass
class TrialLines:
    """Says on a line how each trial of one version ended."""

    version: str

    @hookimpl
    def ftbench_trial_finished(self, trial: Trial, record: Record) -> None:
        """Print it."""
        score = record.measurement(record.primary)
        value = f"{record.primary} {score.value:.3f}" if score and score.value is not None else ""
        click.echo(f"{self.version:<10} {trial.name}  {record.status}  {value}", err=True)
