"""Plugins, catalog and suite files as commands load them, and the arguments that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..formatting import visible
from ..plugins import Plugins, Selection

if TYPE_CHECKING:
    from ..api.catalog import Catalog
    from ..suite.suite import Suite


@dataclass
class CommandContext:
    """Plugins of one command invocation."""

    selection: Selection

    @classmethod
    def of(cls, ctx: click.Context) -> CommandContext:
        """Return the context for the options `-p` and `--without` of the command line."""
        return cls(Selection(*ctx.obj))

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins, discovered on first use."""
        return Plugins.discover(self.selection)

    @cached_property
    def catalog(self) -> Catalog:
        """Everything the plugins offer."""
        return self.plugins.catalog()

    def suite(self, path: str) -> Suite:
        """Read and validate a suite file."""
        from ..suite.parser import read_suite

        return read_suite(Path(path), self.catalog)


def say(text: str) -> None:
    """Print a message on stderr; what it quotes from files cannot command the terminal or a log."""
    click.echo(visible(text), err=True)


suite_argument = click.argument("suite", type=click.Path())
runs_option = click.option(
    "--runs",
    default="runs",
    show_default=True,
    type=click.Path(file_okay=False),
    help="Folder that contains the run directories.",
)
