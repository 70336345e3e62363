"""The `ftbench compare` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(name="compare")
@click.argument("first", metavar="RUN_A", type=click.Path())
@click.argument("second", metavar="[RUN_B]", type=click.Path(), required=False)
@click.option("--baseline", metavar="LABEL", help="Compare the other strategies of one run with this strategy.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Compare this measurement. May be repeated. [default: primary scores and costs]",
)
@click.option(
    "--allow-drift",
    "allowed",
    multiple=True,
    metavar="FIELD",
    help="Allow a field such as software.torch, or a whole section, to differ. May be repeated.",
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0, min_open=True),
    default=0.005,
    show_default=True,
    help="Ignore score differences smaller than this.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "csv", "json", "latex"]),
    default="markdown",
    show_default=True,
    help="Output format.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="File to write. [default: standard output]")
def command(
    first: str,
    second: str | None,
    baseline: str | None,
    metrics: Sequence[str],
    allowed: Sequence[str],
    *,
    margin: float,
    form: str,
    output: str | None,
) -> None:
    """Compare two runs, or the strategies of one run: first their settings, then their results.

    RUN_A and RUN_B are run directories or bundles. Trials are paired by task, backbone, strategy and seed. Differences
    are RUN_B minus RUN_A.

    Data and protocol must always be equal. Scores, FLOPs and accounted bytes also require equal software; speed and
    allocated memory also require equal hardware. If the runs are not comparable, the command exits with code 5.
    """
    from ..analysis.comparison import Asked, compare_runs, compare_strategies
    from ..analysis.comparison_formats import write
    from ..records.record_set import read_record_set
    from ..records.store import collector_paused

    if (second is None) == (baseline is None):
        raise UserError("give two runs, or one run and the label of a strategy with --baseline")
    asked = Asked(tuple(metrics), tuple(allowed), margin)
    with collector_paused():
        read = read_record_set(Path(first))
        if baseline is not None:
            found = compare_strategies(read, baseline, asked)
        else:
            found = compare_runs(read, read_record_set(Path(str(second))), asked)
        text = write(found, form)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}") from None
    click.echo(output)
