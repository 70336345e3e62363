"""The `ftbench gate` command."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UserError
from ..formatting import visible
from .context import CommandContext, runs_option, say
from .gate_outputs import Outputs, TrialLines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..gate.formats import Gated
    from ..records.record_set import Place, RecordSet
    from ..suite.suite import Suite


@click.command(name="gate")
@click.argument("run", metavar="RUN|SUITE", type=click.Path())
@click.option("--baseline", metavar="BASE", type=click.Path(), help="Run directory or bundle to compare with.")
@click.option(
    "--run",
    "suite",
    metavar="SUITE",
    type=click.Path(),
    help="First run what RUN lacks of SUITE, and more of the baseline's seeds if the result is inconclusive.",
)
@click.option(
    "--plugin",
    metavar="FILE",
    type=click.Path(),
    help="Run SUITE with this plugin, a file or folder, in both its current version and the one at --base.",
)
@click.option(
    "--base",
    "revision",
    metavar="GITREF",
    help="Git revision to compare --plugin with, such as origin/main.",
)
@click.option(
    "--calibrate",
    is_flag=True,
    help="Compare RUN with itself, seed by seed, to measure its noise and the false-alarm rate.",
)
@click.option(
    "--repetitions",
    metavar="N",
    type=click.IntRange(min=1),
    help="With --calibrate and --run: run enough seeds for N gates.",
)
@runs_option
@click.option("--junit", metavar="FILE", type=click.Path(dir_okay=False), help="Write the checks as JUnit XML.")
@click.option(
    "--markdown",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the checks as Markdown for a pull request.",
)
@click.option("--github", is_flag=True, help="Print GitHub annotations and write the step summary.")
@click.option("--strict", is_flag=True, help="Exit with code 4 if a check is inconclusive or a value changed.")
@click.option("--all", "everything", is_flag=True, help="Print passing checks too.")
@click.option(
    "--accept",
    metavar="REASON",
    help="Accept regressed and missing results for this reason, and adjust the baseline.",
)
@click.option(
    "--allow-drift",
    "allowed",
    multiple=True,
    metavar="FIELD",
    help="Allow a field such as software.torch to differ. May be repeated.",
)
@click.pass_context
def command(ctx: click.Context, /, run: str, **options: Any) -> None:
    """Compare a run with a baseline and exit with an error if anything got worse.

    RUN is a run directory or a bundle. With --plugin, compare two versions of a plugin on SUITE instead: both versions
    run in one job, trial by trial, and throughput is compared too.

    Exact values (parameters, steps, data order, FLOPs, accounted bytes) must be equal. Scores, compared on paired
    seeds, must not fall by more than a margin. Allocated memory must not grow. Margins are those of the baseline, which
    the [gate] table of its suite sets.

    \b
    ftbench gate runs/quickstart --baseline main.zip
    ftbench gate suite.toml --plugin my_method.py --base origin/main

    \b
    Exit codes: 0 success · 1 trials failed or missing · 2 wrong usage · 3 regression
    4 inconclusive or changed (--strict) · 5 not comparable
    If several apply, the first of 2, 5, 1, 3, 4 is used.
    """  # noqa: D301 - click needs the backspace character itself
    from ..gate.checks import exit_code

    outputs = Outputs(options["junit"], options["markdown"], github=options["github"], everything=options["everything"])
    suite = run if options["plugin"] is not None else options["suite"]
    try:
        _check_options(options)
        if options["calibrate"]:
            _calibrate(CommandContext.of(ctx), Path(run), options["suite"], options["repetitions"])
            return
        gated = replace(_run_gate(CommandContext.of(ctx), run, options), strict=options["strict"])
        outputs.write(gated, suite)
    except UserError as error:
        outputs.write_errors(error, suite)
        raise
    ctx.exit(exit_code(gated.checks, strict=gated.strict))


def _check_options(options: Mapping[str, Any]) -> None:
    """Raise UserError if options cannot be combined or a needed one is missing."""
    if options["calibrate"]:
        _refuse(options, ("plugin", "revision", "baseline", "accept", "allowed", "junit", "markdown"), "--calibrate")
        if (options["repetitions"] is None) != (options["suite"] is None):
            raise UserError("--repetitions and --run go together: they set how many seeds the suite is run on")
    elif options["repetitions"] is not None:
        raise UserError("--repetitions goes with --calibrate")
    elif options["plugin"] is None:
        if options["revision"] is not None:
            raise UserError("--base goes with --plugin; to compare a run, give --baseline")
        if options["baseline"] is None:
            raise UserError("give a run directory or bundle with --baseline, or a plugin with --plugin and --base")
    else:
        _refuse(options, ("baseline", "suite", "accept", "allowed"), "--plugin")
        if options["revision"] is None:
            raise UserError("--plugin needs --base, the git revision to compare with")


def _refuse(options: Mapping[str, Any], names: Sequence[str], other: str) -> None:
    """Raise UserError if one of these options is given together with `other`."""
    shown = {"suite": "run", "revision": "base", "allowed": "allow-drift"}
    for name in names:
        if options[name]:
            raise UserError(f"--{shown.get(name, name)} does not go with {other}")


def _run_gate(context: CommandContext, run: str, options: Mapping[str, Any]) -> Gated:
    if options["plugin"] is not None:
        return _compare_plugin(context, Path(run), Path(options["plugin"]), options["revision"], Path(options["runs"]))
    gated = _compare_with_baseline(
        context, Path(run), Path(options["baseline"]), options["suite"], tuple(options["allowed"])
    )
    return _accept(gated, Path(options["baseline"]), options["accept"]) if options["accept"] is not None else gated


def _calibrate(context: CommandContext, run: Path, suite: str | None, repetitions: int | None) -> None:
    """Measure the noise of a run, after running the suite on enough seeds if one is given."""
    from ..gate.calibration import calibrate, seeds_for, write_calibration
    from ..records.record_set import read_record_set

    if not run.is_dir() and suite is None:
        raise UserError(f"{run}: not a run directory; the calibration is written into it")
    gate = None
    if suite is not None and repetitions is not None:
        parsed = context.suite(suite)
        if run.name != parsed.name:
            raise UserError(
                f"--run {suite}: the run directory of suite {parsed.name!r} must have the same name, and {run} does not"
            )
        gate = parsed.gate
        _run_suite(context, replace(parsed, seeds=tuple(range(seeds_for(repetitions, gate)))), run.parent)
    records = read_record_set(run)
    found = calibrate(records, gate or records.gate)
    for target, metrics in found.noise.items():
        for metric, noise in metrics.items():
            each = ", ".join(f"{label} {deviation:.4f}" for label, deviation in noise.strategies.items())
            click.echo(
                f"{target}: {metric}: s_d {noise.s_d:.4f} over {noise.n} pairs ({noise.pairing}; {each}), "
                f"{noise.alarms} alarms in {noise.gates} gates"
            )
    click.echo(f"false alarms: {found.alarms} of {found.gates} gates, without any change")
    click.echo(visible(str(write_calibration(found, run))))


def _compare_plugin(context: CommandContext, suite: Path, plugin: Path, revision: str, runs: Path) -> Gated:
    """Compare two versions of a plugin by running their trials alternately."""
    from ..gate.formats import Gated
    from ..gate.side_by_side import SideBySide
    from ..gate.worktree import at_revision

    if not plugin.exists():
        raise UserError(f"--plugin {plugin}: no such file or folder")
    chosen = context.selection
    with at_revision(plugin, revision) as before:
        base = replace(chosen, files=(*chosen.files, str(before.resolve())))
        head = replace(chosen, files=(*chosen.files, str(plugin.resolve())))
        folder = _create_folder(runs / f"{suite.stem}.gate")
        both = SideBySide(
            suite,
            base,
            head,
            folder,
            observe=lambda plugins, name: plugins.register(TrialLines(name), "trial-lines"),
            say=say,
        )
        name, checks = both.checks()
    return Gated(str(plugin), f"{plugin} at {revision}", name, tuple(checks))


def _create_folder(parent: Path) -> Path:
    """Create an empty folder, so that both versions run in this job and nothing is reused."""
    number = 1
    while True:
        folder = parent / str(number)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise UserError(f"{folder}: cannot write: {error.strerror}") from None
        else:
            return folder


def _compare_with_baseline(
    context: CommandContext, run: Path, baseline: Path, suite: str | None, allowed: tuple[str, ...]
) -> Gated:
    """Compare a run with a baseline; if a suite is given, run more seeds until every score is decided."""
    from ..gate.formats import Gated
    from ..gate.gate import hold, undecided
    from ..gate.margins import margins_of
    from ..gate.more_seeds import wanted
    from ..records.data_check import new_flaws
    from ..records.record_set import read_record_set
    from ..records.store import collector_paused

    # While trials run, garbage is collected as usual.
    with collector_paused() if suite is None else nullcontext():
        base = read_record_set(baseline)
        parsed = _suite_of(context, suite, run) if suite is not None else None
        if parsed is not None:
            # Before hours of training, not after them.
            margins_of(parsed.gate, base.gate, allowed)
            _run_suite(context, parsed, run.parent)
        head = read_record_set(run)
        gate = margins_of(parsed.gate if parsed is not None else head.gate, base.gate, allowed)
        checks = hold(head, base, gate, allowed)
    while parsed is not None:
        more = wanted(head, base, undecided(checks), gate.looks)
        if not more:
            break
        _run_more(context, parsed, head, more, order=base.seeds, runs=run.parent)
        head = read_record_set(run)
        checks = hold(head, base, gate, allowed)
        if wanted(head, base, undecided(checks), gate.looks) == more:
            break
    return Gated(str(run), str(baseline), head.suite, tuple(checks), data=tuple(new_flaws(head.data, base.data)))


def _suite_of(context: CommandContext, suite: str, run: Path) -> Suite:
    """Read the suite of a run directory; raise UserError if the directory is that of another suite."""
    parsed = context.suite(suite)
    if run.name != parsed.name or (run.exists() and not run.is_dir()):
        raise UserError(
            f"--run {suite}: the run directory of suite {parsed.name!r} must have the same name; "
            f"{run} is not its run directory"
        )
    return parsed


def _run_suite(context: CommandContext, suite: Suite, runs: Path) -> None:
    from ..runner.progress import ConsoleProgress
    from ..runner.runner import run_suite

    context.plugins.register(ConsoleProgress(), "console-progress")
    if run_suite(suite, context.plugins, context.selection, runs, say).interrupted:
        raise click.Abort


def _run_more(
    context: CommandContext,
    suite: Suite,
    head: RecordSet,
    more: set[tuple[Place, int]],
    *,
    order: Sequence[int],
    runs: Path,
) -> None:
    from ..gate.more_seeds import run_more
    from ..runner.progress import ConsoleProgress

    seeds = sorted({seed for _, seed in more})
    click.echo(f"inconclusive: {len(more)} more trials, seeds {', '.join(map(str, seeds))}", err=True)
    outcome = run_more(
        suite,
        head,
        more,
        order,
        selection=context.selection,
        runs=runs,
        observe=lambda plugins: plugins.register(ConsoleProgress(), "console-progress"),
    )
    if outcome.interrupted:
        raise click.Abort


def _accept(gated: Gated, baseline: Path, reason: str) -> Gated:
    """Write accepted changes into the baseline, a folder or a bundle."""
    from ..gate.gate import accept
    from ..records.accepted_changes import write_steps
    from ..records.bundle import pack
    from ..records.record_set import opened, read_record_set

    if not reason.strip():
        raise UserError("--accept: give a reason")
    checks, steps = accept(gated.checks, read_record_set(baseline), reason.strip())
    fresh = [check for check in checks if check.verdict == "accepted"]
    if not fresh:
        click.echo("nothing to accept: no result regressed or is missing", err=True)
        return gated
    with opened(baseline) as folder:
        write_steps(folder, steps)
        if folder != baseline:
            pack(folder, baseline)
    click.echo(f"accepted {len(fresh)} changes into {visible(str(baseline))}", err=True)
    return replace(gated, checks=tuple(checks))
