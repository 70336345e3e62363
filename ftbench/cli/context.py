"""What every command that knows plugins needs: the plugins, and the suite of a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..plugins import Plugins, Selection
from ..suite.parser import read_suite

if TYPE_CHECKING:
    from ..api.catalog import Catalog
    from ..suite.suite import Suite


@dataclass
class Setting:
    """The plugins of one command."""

    selection: Selection

    @classmethod
    def of(cls, ctx: click.Context) -> Setting:
        """Take `-p` and `--without` from the command line."""
        return cls(Selection(*ctx.obj))

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins, found once."""
        return Plugins.discover(self.selection)

    @cached_property
    def catalog(self) -> Catalog:
        """What they offer."""
        return self.plugins.catalog()

    def suite(self, path: str) -> Suite:
        """Read a suite file."""
        return read_suite(Path(path), self.catalog)


suite_argument = click.argument("suite", type=click.Path())
runs_option = click.option(
    "--runs", default="runs", show_default=True, type=click.Path(file_okay=False), help="Folder of run directories."
)
