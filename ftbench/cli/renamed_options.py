"""Accept former names of renamed options, with a hint on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

REMOVED_IN = "0.3"
"""Release that drops the former names."""


class RenamedOptions(click.Command):
    """Command that replaces former option names before parsing. Its help shows the current names only."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """Former option name → current name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments after replacing former option names."""
        end = args.index("--") if "--" in args else len(args)
        current = [self._current(argument) for argument in args[:end]]
        return super().parse_args(ctx, current + args[end:])

    def _current(self, argument: str) -> str:
        name, equals, value = argument.partition("=")
        if name not in self.renamed:
            return argument
        click.echo(f"{name} is now {self.renamed[name]}; the old name will be removed in {REMOVED_IN}", err=True)
        return f"{self.renamed[name]}{equals}{value}"
