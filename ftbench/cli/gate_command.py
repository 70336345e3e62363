"""`ftbench gate`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UserError
from .context import Setting, runs_option
from .gate_outputs import Outputs, TrialLines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..gate.formats import Gated
    from ..records.record_set import Place, RecordSet
    from ..suite.suite import Gate, Suite


@click.command(name="gate")
@click.argument("run", metavar="RUN|SUITE", type=click.Path())
@click.option("--baseline", metavar="BASE", type=click.Path(), help="The run directory or bundle it is held against.")
@click.option(
    "--run",
    "suite",
    metavar="SUITE",
    type=click.Path(),
    help="Run SUITE where RUN is not there yet, and on more of the baseline's seeds where it has too few.",
)
@click.option(
    "--plugin",
    metavar="FILE",
    type=click.Path(),
    help="Run SUITE with this plugin, a file or folder, next to its state at --base.",
)
@click.option(
    "--base", "revision", metavar="GITREF", help="The git revision --plugin is held against, such as origin/main."
)
@click.option(
    "--calibrate",
    is_flag=True,
    help="Hold RUN against itself, seed against seed: its noise, and how often that is an alarm.",
)
@click.option(
    "--repetitions",
    metavar="N",
    type=click.IntRange(min=1),
    help="With --calibrate and --run: as many seeds as N gates take.",
)
@runs_option
@click.option("--junit", metavar="FILE", type=click.Path(dir_okay=False), help="Write JUnit XML.")
@click.option("--markdown", metavar="FILE", type=click.Path(dir_okay=False), help="Write Markdown for a pull request.")
@click.option("--github", is_flag=True, help="Print annotations, and write the summary of the step.")
@click.option("--strict", is_flag=True, help="Exit with 4 where something is inconclusive or changed.")
@click.option("--all", "everything", is_flag=True, help="Print what is ok too.")
@click.option(
    "--accept",
    metavar="REASON",
    help="Take what regressed or is missing for a deliberate step, and move the baseline by it.",
)
@click.option(
    "--allow-drift",
    "allowed",
    multiple=True,
    metavar="FIELD",
    help="Let a field differ, such as software.torch; may be repeated.",
)
@click.pass_context
def command(ctx: click.Context, /, run: str, **options: Any) -> None:
    r"""Hold the run directory or bundle RUN against a baseline; or a plugin, on SUITE, against its state at a git revision.

    Exact figures (parameters, steps, the order of the data, FLOPs, accounted bytes) must be equal; scores must not be worse by more
    than a margin, judged on paired seeds; memory that was allocated must not grow. With --plugin both versions run in one job, each
    trial next to its like, and throughput is held too. Margins stand in the suite's table [gate].

    \b
    ftbench gate runs/quickstart --baseline main.zip
    ftbench gate suite.toml --plugin my_method.py --base origin/main

    \b
    Exit codes: 0 ok · 1 trials failed or missing · 2 usage · 3 regression · 4 inconclusive or changed (--strict)
    5 not comparable; where several hold, the first of 2, 5, 1, 3, 4
    """
    from ..gate.checks import exit_code

    outputs = Outputs(options["junit"], options["markdown"], github=options["github"], everything=options["everything"])
    suite = run if options["plugin"] is not None else options["suite"]
    try:
        _check_options(options)
        if options["calibrate"]:
            _calibrate(Setting.of(ctx), Path(run), options["suite"], options["repetitions"])
            return
        gated = replace(_gated(Setting.of(ctx), run, options), strict=options["strict"])
        outputs.tell(gated, suite)
    except UserError as error:
        outputs.tell_mistakes(error, suite)
        raise
    ctx.exit(exit_code(gated.checks, strict=gated.strict))


def _check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that do not go together."""
    if options["calibrate"]:
        _refuse(options, ("plugin", "revision", "baseline", "accept", "allowed", "junit", "markdown"), "--calibrate")
        if (options["repetitions"] is None) != (options["suite"] is None):
            raise UserError("--repetitions and --run go together: the suite is run on as many seeds as they take")
    elif options["repetitions"] is not None:
        raise UserError("--repetitions goes with --calibrate")
    elif options["plugin"] is None:
        if options["revision"] is not None:
            raise UserError("--base goes with --plugin; a run is held against --baseline")
        if options["baseline"] is None:
            raise UserError(
                "give a baseline with --baseline, a run directory or a bundle; or a plugin with --plugin and --base"
            )
    else:
        _refuse(options, ("baseline", "suite", "accept", "allowed"), "--plugin")
        if options["revision"] is None:
            raise UserError("--plugin needs --base, the git revision it is held against")


def _refuse(options: Mapping[str, Any], names: Sequence[str], beside: str) -> None:
    shown = {"suite": "run", "revision": "base", "allowed": "allow-drift"}
    for name in names:
        if options[name]:
            raise UserError(f"--{shown.get(name, name)} does not go with {beside}")


def _gated(setting: Setting, run: str, options: Mapping[str, Any]) -> Gated:
    if options["plugin"] is not None:
        return _plugin(setting, Path(run), Path(options["plugin"]), options["revision"], Path(options["runs"]))
    gated = _against(setting, Path(run), Path(options["baseline"]), options["suite"], tuple(options["allowed"]))
    return _accepted(gated, Path(options["baseline"]), options["accept"]) if options["accept"] is not None else gated


def _calibrate(setting: Setting, run: Path, suite: str | None, repetitions: int | None) -> None:
    """Measure the noise of a run, of as many seeds as are asked for."""
    from ..gate.calibration import calibrate, seeds_for, write_calibration
    from ..records.record_set import read_record_set

    if not run.is_dir() and suite is None:
        raise UserError(f"{run}: not a run directory; what is measured is written there")
    gate = None
    if suite is not None and repetitions is not None:
        parsed = setting.suite(suite)
        if run.name != parsed.name:
            raise UserError(
                f"--run {suite}: the suite {parsed.name!r} leaves its records in a folder of that name, not in {run}"
            )
        gate = parsed.gate
        _run_suite(setting, replace(parsed, seeds=tuple(range(seeds_for(repetitions, gate)))), run.parent)
    records = read_record_set(run)
    found = calibrate(records, gate or records.gate)
    for target, metrics in found.noise.items():
        for metric, noise in metrics.items():
            each = ", ".join(f"{label} {deviation:.4f}" for label, deviation in noise.strategies.items())
            click.echo(
                f"{target}: {metric}: s_d {noise.s_d:.4f} over {noise.n} pairs ({noise.pairing}; {each}), {noise.alarms} alarms in {noise.gates} gates"
            )
    click.echo(f"{found.alarms} of {found.gates} gates raised an alarm with no change at all")
    click.echo(str(write_calibration(found, run)))


def _plugin(setting: Setting, suite: Path, plugin: Path, revision: str, runs: Path) -> Gated:
    """Run both versions of a plugin in turn."""
    from ..gate.formats import Gated
    from ..gate.side_by_side import SideBySide
    from ..gate.worktree import at_revision

    if not plugin.exists():
        raise UserError(f"--plugin {plugin}: no such file or folder")
    chosen = setting.selection
    with at_revision(plugin, revision) as before:
        base = replace(chosen, files=(*chosen.files, str(before.resolve())))
        head = replace(chosen, files=(*chosen.files, str(plugin.resolve())))
        folder = _fresh_folder(runs / f"{suite.stem}.gate")
        both = SideBySide(
            suite,
            base,
            head,
            folder,
            observe=lambda plugins, name: plugins.register(TrialLines(name), "trial-lines"),
            say=partial(click.echo, err=True),
        )
        name, checks = both.checks()
    return Gated(str(plugin), f"{plugin} at {revision}", name, tuple(checks))


def _fresh_folder(parent: Path) -> Path:
    """Make a folder that nothing was run in: both versions must run in this job."""
    number = 1
    while True:
        folder = parent / str(number)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise UserError(f"{folder}: cannot be written: {error.strerror}") from None
        else:
            return folder


def _against(setting: Setting, run: Path, baseline: Path, suite: str | None, allowed: tuple[str, ...]) -> Gated:
    """Hold a run against a baseline; where a suite is given, on more seeds until every score is decided."""
    from ..gate.formats import Gated
    from ..gate.gate import hold, undecided
    from ..gate.more_seeds import wanted
    from ..records.record_set import read_record_set

    base = read_record_set(baseline)
    parsed = _suite_of(setting, suite, run) if suite is not None else None
    head = read_record_set(run)
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


def _suite_of(setting: Setting, suite: str, run: Path) -> Suite:
    """Read the suite of a run directory; it is run first where it never was."""
    parsed = setting.suite(suite)
    if run.name != parsed.name or (run.exists() and not run.is_dir()):
        raise UserError(
            f"--run {suite}: the suite {parsed.name!r} leaves its records in a folder of that name, and {run} is not its run directory"
        )
    if not run.exists():
        _run_suite(setting, parsed, run.parent)
    return parsed


def _run_suite(setting: Setting, suite: Suite, runs: Path) -> None:
    from ..runner.progress import ConsoleProgress
    from ..runner.runner import run_suite

    setting.plugins.register(ConsoleProgress(), "console-progress")
    if run_suite(suite, setting.plugins, setting.selection, runs, partial(click.echo, err=True)).interrupted:
        raise click.Abort


def _run_more(
    setting: Setting, suite: Suite, head: RecordSet, more: set[tuple[Place, int]], *, order: Sequence[int], runs: Path
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
        selection=setting.selection,
        runs=runs,
        observe=lambda plugins: plugins.register(ConsoleProgress(), "console-progress"),
    )
    if outcome.interrupted:
        raise click.Abort


def _accepted(gated: Gated, baseline: Path, reason: str) -> Gated:
    """Write what was accepted into the baseline, be it a folder or a bundle."""
    from ..gate.gate import accept
    from ..records.accepted_changes import write_steps
    from ..records.bundle import pack
    from ..records.record_set import opened, read_record_set

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
