"""`ftbench gate`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UserError
from .setting import Setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..gate_text import Gated
    from ..record_set import Place, RecordSet
    from ..suite import Gate, Suite


@dataclass(frozen=True)
class _Places:
    """Where what a gate found is written."""

    junit: str | None
    markdown: str | None
    github: bool
    everything: bool


@click.command(name="gate")
@click.argument("run", metavar="RUN", type=click.Path())
@click.option("--baseline", metavar="BASE", type=click.Path(), help="The run directory or bundle it is held against.")
@click.option("--run", "suite", metavar="SUITE", type=click.Path(), help="Run SUITE on more of the baseline's seeds where RUN has too few.")
@click.option("--junit", metavar="FILE", type=click.Path(dir_okay=False), help="Write JUnit XML.")
@click.option("--markdown", metavar="FILE", type=click.Path(dir_okay=False), help="Write Markdown for a pull request.")
@click.option("--github", is_flag=True, help="Print annotations, and write the summary of the step.")
@click.option("--strict", is_flag=True, help="Exit with 4 where something is inconclusive or changed.")
@click.option("--all", "everything", is_flag=True, help="Print what is ok too.")
@click.option("--accept", metavar="REASON", help="Take what regressed or is missing for a deliberate step, and move the baseline by it.")
@click.option(
    "--allow-drift", "allowed", multiple=True, metavar="FIELD", help="Let a field differ, such as software.torch; may be repeated."
)
@click.pass_context
def command(
    ctx: click.Context, run: str, *, baseline: str | None, suite: str | None, junit: str | None, markdown: str | None, github: bool, strict: bool,
    everything: bool, accept: str | None, allowed: Sequence[str],
) -> None:  # fmt: skip
    r"""Hold the run directory or bundle RUN against a baseline.

    Exact figures (parameters, steps, the order of the data, FLOPs, accounted bytes) must be equal; scores must not be worse by more
    than a margin, judged on paired seeds; memory that was allocated must not grow. Margins stand in the suite's table [gate].

    \b
    Exit codes: 0 ok · 1 trials failed or missing · 2 usage · 3 regression · 4 inconclusive or changed (--strict)
    5 not comparable; where several hold, the first of 2, 5, 1, 3, 4
    """
    places = _Places(junit, markdown, github, everything)
    try:
        gated = _against(Setting.of(ctx), Path(run), Path(_given(baseline)), suite, tuple(allowed))
        if accept is not None:
            gated = _accepted(gated, Path(_given(baseline)), accept)
        gated = replace(gated, strict=strict)
        _tell(gated, places, suite)
    except UserError as error:
        if github:
            from ..github import annotation

            for mistake in error.mistakes:
                click.echo(annotation("error", "ftbench gate", mistake))
        raise
    from ..gate_check import exit_code

    ctx.exit(exit_code(gated.checks, strict=strict))


def _given(baseline: str | None) -> str:
    if baseline is None:
        raise UserError("give a baseline with --baseline: a run directory or a bundle")
    return baseline


def _against(setting: Setting, run: Path, baseline: Path, suite: str | None, allowed: tuple[str, ...]) -> Gated:
    """Hold a run against a baseline; where a suite is given, on more seeds until every score is decided."""
    from ..gate import hold, undecided
    from ..gate_text import Gated
    from ..more_seeds import wanted
    from ..record_set import read_record_set

    base, head = read_record_set(baseline), read_record_set(run)
    parsed = _suite_of(setting, suite, head, run) if suite is not None else None
    gate: Gate = parsed.gate if parsed is not None else head.gate
    checks = hold(head, base, gate, allowed)
    while parsed is not None:
        more = wanted(head, base, undecided(checks), gate.looks)
        if not more:
            break
        _run_more(setting, parsed, head, more, order=base.seeds, runs=run.parent)
        head = read_record_set(run)
        checks = hold(head, base, gate, allowed)
        if wanted(head, base, undecided(checks), gate.looks) == more:
            break
    return Gated(str(run), str(baseline), head.suite, tuple(checks))


def _suite_of(setting: Setting, suite: str, head: RecordSet, run: Path) -> Suite:
    parsed = setting.suite(suite)
    if parsed.name != head.suite or run.name != parsed.name or not run.is_dir():
        raise UserError(
            f"--run {suite}: the suite {parsed.name!r} leaves its records in a folder of that name, and {run} is not its run directory"
        )
    return parsed


def _run_more(setting: Setting, suite: Suite, head: RecordSet, more: set[tuple[Place, int]], *, order: Sequence[int], runs: Path) -> None:
    from ..more_seeds import run_more
    from ..progress import ConsoleProgress

    seeds = sorted({seed for _, seed in more})
    click.echo(f"inconclusive: {len(more)} more trials, seeds {', '.join(map(str, seeds))}", err=True)
    outcome = run_more(
        suite, head, more, order, selection=setting.selection, runs=runs,
        observe=lambda plugins: plugins.register(ConsoleProgress(), "console-progress"),
    )  # fmt: skip
    if outcome.interrupted:
        raise click.Abort


def _accepted(gated: Gated, baseline: Path, reason: str) -> Gated:
    """Write what was accepted into the baseline, be it a folder or a bundle."""
    from ..accepted import write_steps
    from ..bundle import pack
    from ..gate import accept
    from ..record_set import opened, read_record_set

    if not reason.strip():
        raise UserError("--accept: give a reason")
    checks, steps = accept(gated.checks, read_record_set(baseline), reason.strip())
    fresh = [check for check in checks if check.verdict == "accepted"]
    if not fresh:
        click.echo("nothing to accept: nothing regressed or is missing", err=True)
        return gated
    with opened(baseline) as folder:
        write_steps(folder, steps)
        if folder != baseline:
            pack(folder, baseline)
    click.echo(f"accepted {len(fresh)} steps into {baseline}", err=True)
    return replace(gated, checks=tuple(checks))


def _tell(gated: Gated, places: _Places, suite: str | None) -> None:
    from ..gate_text import lines, markdown
    from ..junit import junit

    for line in lines(gated, everything=places.everything):
        click.echo(line)
    if places.junit:
        _write(places.junit, junit(gated.checks, gated.suite, strict=gated.strict))
    if places.markdown:
        _write(places.markdown, markdown(gated))
    if places.github:
        from ..github import annotate, write_summary

        for line in annotate(gated.checks, suite):
            click.echo(line)
        write_summary(gated)


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
