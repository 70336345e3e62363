"""`ftbench run`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import SuiteError
from ..records.record import FAILED
from .context import Setting, runs_option, suite_argument
from .run_results import REPORTS, end, is_current
from .trial_options import chosen, exclude_option, only_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..suite.suite import Suite


@click.command(name="run")
@suite_argument
@runs_option
@click.option("--report/--no-report", default=True, help="Write the reports afterwards.")
@click.option(
    "--strict", is_flag=True, help="Run nothing where the data have an error or a warning; see `ftbench data check`."
)
@only_option
@exclude_option
@click.option("--shard", metavar="I/N", help="Only the I-th of N shares of the trials, the same on every machine.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    suite: str,
    runs: str,
    *,
    report: bool,
    strict: bool,
    only: Sequence[str],
    exclude: Sequence[str],
    shard: str | None,
) -> None:
    """Run SUITE, a TOML file; what is done already is not done again.

    Each trial runs in a process of its own and leaves a record. A trial that fails is a record too, and the others go
    on. Ctrl-C once finishes the running trial and stops, twice stops at once; the same command goes on from there.
    """
    from ..runner.runner import run_suite

    setting = Setting.of(ctx)
    parsed = setting.suite(suite)
    _check_data(setting, parsed, strict=strict)
    # A page that cannot be written is told of before the trials, not days later.
    for name in REPORTS if report else ():
        setting.catalog.build("reports", name, {})
    from ..runner.progress import ConsoleProgress

    setting.plugins.register(ConsoleProgress(), "console-progress")
    outcome = run_suite(parsed, setting.plugins, setting.selection, Path(runs), chosen=chosen(only, exclude, shard))
    if outcome.ran == 0 and not outcome.interrupted and is_current(outcome):
        failed = sum(status in FAILED for status in outcome.statuses.values())
        note = f", {failed} of them failed" if failed else ""
        click.echo(f"nothing to do: {len(outcome.statuses)} of {outcome.planned} trials are done{note}")
        report = False
    end(ctx, setting.catalog, outcome, report=report)


def _check_data(setting: Setting, suite: Suite, *, strict: bool) -> None:
    """Tell what is wrong with the data before anything is trained on them.

    Raises:
        SuiteError: data cannot be downloaded or read; or, where `strict`, something is wrong with them.
    """
    from ..data.checks import examine
    from ..data.downloads import fetch
    from .data_command import grave

    fetch(suite, setting.catalog, partial(click.echo, err=True))
    found = grave(examine(suite, setting.catalog))
    if found and strict:
        raise SuiteError(*(f"{suite.source}: {click.unstyle(line)}" for line in found))
    for line in found:
        click.echo(f"data: {line}", err=True)
