"""The options that choose among the trials of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..suite.selection import Chosen

only_option = click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only trials in whose name this is found, as `ftbench plan` shows it; * and ? stand for anything; may be repeated.",
)
exclude_option = click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="No trial in whose name this is found; may be repeated."
)


def chosen(only: Sequence[str], exclude: Sequence[str], shard: str | None = None) -> Chosen:
    """Give the choice.

    Raises:
        UserError: `shard` is no share.
    """
    from ..suite.selection import Chosen, Shard

    return Chosen(tuple(only), tuple(exclude), Shard.parse(shard) if shard else None)
