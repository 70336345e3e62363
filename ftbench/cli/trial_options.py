"""The options `--only`, `--exclude` and `--shard`, which select trials of a plan."""

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
    help="Run only trials whose name matches PATTERN: any part of the name, with * and ? as wildcards. "
    "`ftbench plan` lists the names. May be repeated.",
)
exclude_option = click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="Skip trials whose name matches PATTERN. May be repeated."
)


def parse_selection(only: Sequence[str], exclude: Sequence[str], shard: str | None = None) -> Chosen:
    """Return the selection these options describe.

    Raises:
        UserError: `shard` is not of the form I/N.
    """
    from ..suite.selection import Chosen, Shard

    return Chosen(tuple(only), tuple(exclude), Shard.parse(shard) if shard else None)
