"""The `ftbench plan` command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from ..errors import UserError
from ..formatting import quantity
from .context import CommandContext, runs_option
from .light import light
from .renamed_options import RenamedOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ..analysis.forecast import CostEstimate, DetectableEffect, TuningCostEstimate
    from ..runner.time_left import TrialDuration, TrialKind
    from ..suite.trial import Trial
    from ..suite.tuner import ScheduleState
    from ..training.accounting.accounting import Kernels
    from ..training.accounting.configuration import Configuration


class _PlanCommand(RenamedOptions):
    renamed: ClassVar = {"--card": "--gpu-memory", "--target": "--kernels"}


@click.command(name="plan", cls=_PlanCommand)
@click.argument("suite", type=click.Path(), required=False)
@runs_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per trial.")
@click.option(
    "--predict",
    is_flag=True,
    help="Predict parameters, FLOPs and peak memory of each trial. Needs neither weights nor a GPU.",
)
@click.option(
    "--gpu-memory",
    metavar="SIZE",
    help="Predict what fits a GPU with this much memory, such as 24GB, and the largest batch that fits.",
)
@click.option(
    "--device", metavar="cuda:N", help="Predict what fits this GPU of the machine, and the largest batch that fits."
)
@click.option(
    "--kernels",
    type=click.Choice(["cpu", "cuda"]),
    help="Predict for the kernels of this device type. [default: cuda if a GPU is given or used, otherwise cpu]",
)
@click.option(
    "--length",
    type=click.FloatRange(min=0, min_open=True),
    help="Predict for inputs of this length, in tokens, pixels per side, or seconds.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="Output format of predictions.",
)
@click.option(
    "--model",
    metavar="DIR_OR_ID",
    help="Predict for this model instead of a suite: a directory, a model id in the Hub cache, or a backbone.",
)
@click.option("--task", default="text-classification", show_default=True, help="With --model: kind of task.")
@click.option(
    "--batch", type=click.IntRange(min=1), default=16, show_default=True, help="With --model: examples per step."
)
@click.option(
    "--classes",
    type=click.IntRange(min=2),
    help="With --model: number of classes, or of characters for transcripts. [default: 2, or those of English]",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    metavar="NAME",
    help="With --model: predict this strategy. May be repeated. [default: all that need no options]",
)
@click.pass_context
def command(ctx: click.Context, /, suite: str | None, **options: Any) -> None:
    """List every trial of SUITE with its id, learning rate and status, or predict its cost.

    The list ends with the smallest effect that the planned seeds can detect, and with the time the unfinished trials
    will take, estimated from finished ones. With --predict, or with --model instead of SUITE, show trained parameters,
    FLOPs per step and peak memory.
    """
    if (suite is None) == (options["model"] is None):
        raise UserError("give a SUITE, or a model with --model")
    if options["model"] is None and not options["predict"]:
        for name in ("gpu_memory", "device", "kernels", "length"):
            if options[name] is not None:
                raise UserError(f"--{name.replace('_', '-')} goes with --predict")
        assert suite is not None
        _list_trials(CommandContext.of(ctx), suite, options["runs"], as_json=options["as_json"])
    else:
        _predict(CommandContext.of(ctx), suite, **options)


@light()
def _list_trials(context: CommandContext, suite: str, runs: str, *, as_json: bool) -> None:
    from ..analysis.forecast import foresee_effects, foresee_tuning
    from ..environment import environment
    from ..fingerprint import digest
    from ..records.store import Store
    from ..records.tries import point_reader
    from ..runner.local_plan import choose_device, foresee_here, trials_at_a_time
    from ..runner.time_left import finished_durations
    from ..suite.tuner import Tuner

    parsed = context.suite(suite)
    foreseen = foresee_here(parsed, context.plugins, context.catalog)
    store = Store(Path(runs) / parsed.name)
    device = choose_device(parsed.machine.device)
    here = digest(environment(f"{device}:0" if device == "cuda" else device))
    schedule = Tuner(parsed, foreseen.trials, context.catalog).course(point_reader(store.reader(here)))
    statuses = {trial.id: store.status(trial.id, here) for trial in schedule.trials}
    done = {key for key, status in statuses.items() if status is not None}
    effects = {
        found.target: found
        for found in foresee_effects(store.folder, ((trial.target, trial.seed) for trial in foreseen.trials))
    }
    for trial in schedule.trials:
        shown = statuses[trial.id] or ("not-applicable" if trial.not_applicable else "planned")
        click.echo(_row(trial, shown, effects[trial.target], as_json=as_json))
    for line in foreseen.unknown:
        click.echo(f"note: {line}; `ftbench run` downloads it and then plans its trials", err=True)
    if not as_json:
        for found in effects.values():
            click.echo(_effect_line(found))
        if parsed.tuning is not None:
            estimate = foresee_tuning(schedule, store.folder, done, parsed.cost)
            for line in _tuning_lines(estimate, parsed.cost.currency):
                click.echo(line)
        remaining = _remaining_kinds(schedule, done)
        if remaining:
            click.echo(_time_line(finished_durations(store.folder), remaining, trials_at_a_time(parsed.machine)))
        click.echo(f"{schedule.size} trials, {len(done)} done, on {device} with {parsed.machine.threads} threads each")


def _row(trial: Trial, status: str, effect: DetectableEffect, *, as_json: bool) -> str:
    training = trial.stages[-1].training
    if not as_json:
        return f"{trial.id}  {status:<14}  {trial.name}  lr {training['lr']:g}"
    row = {"id": trial.id, "cell": trial.cell, "status": status, "target": trial.target, "seed": trial.seed}
    row |= {"backbone": trial.backbone.label, "strategy": trial.strategy.label, "lr": training["lr"]}
    row |= {"s_d": effect.noise.s_d if effect.noise else None, "detectable": effect.detectable}
    row |= {"role": trial.role, "values": dict(trial.values)}
    return json.dumps(row)


def _effect_line(effect: DetectableEffect) -> str:
    """Describe the smallest effect the planned seeds can detect."""
    from ..stats.estimates import CLAIM

    seeds = f"{effect.seeds} seed{'s' if effect.seeds > 1 else ''}"
    if effect.detectable is None and (effect.seeds < CLAIM or effect.in_deviations is None):
        return f"{effect.target}: {seeds} cannot detect a difference; at least {CLAIM} are needed"
    if effect.noise is None or effect.detectable is None:
        deviations = f"{effect.in_deviations:.2f} standard deviations"
        return f"{effect.target}: noise unknown; {seeds} detect a difference of {deviations} with 80 % power"
    smallest, s_d = (
        f"{100 * v:.1f} points" if effect.unit == "1" else quantity(v, effect.unit)
        for v in (effect.detectable, effect.noise.s_d)
    )
    found = f"{seeds} detect a difference of {smallest} in {effect.metric.replace('_', ' ')} with 80 % power"
    return (
        f"{effect.target}: {found} (standard deviation of a difference {s_d}: {effect.noise.source}, in earlier runs)"
    )


def _remaining_kinds(schedule: ScheduleState, done: Collection[str]) -> list[TrialKind]:
    """Return the kinds of the trials that will be started, including those that depend on the tuning."""
    from ..runner.time_left import TrialKind

    kinds = [TrialKind.of(trial) for trial in schedule.trials if trial.id not in done and trial.not_applicable is None]
    for search in schedule.untold:
        kinds += [TrialKind(*search.place, is_try=True)] * search.tries + [TrialKind(*search.place)] * search.finals
    return kinds


def _time_line(finished: Sequence[TrialDuration], remaining: Sequence[TrialKind], workers: int) -> str:
    """Describe how long the unfinished trials will take, from the durations of finished ones."""
    from ..runner.time_left import ENOUGH, estimate_time_left, rough_duration

    seconds = estimate_time_left(finished, remaining, workers)
    if seconds is None:
        return f"time: unknown until {ENOUGH} trials of this run have finished"
    parallel = f", {workers} at a time" if workers > 1 else ""
    known = {one.kind.column for one in finished}
    new = sum(kind.column not in known for kind in remaining)
    guess = f"; {new} of them on tasks without any finished trial" if new else ""
    trials = f"{len(remaining)} unfinished trial{'s' if len(remaining) > 1 else ''}"
    return f"time: {rough_duration(seconds)} for {trials}{parallel}, from {len(finished)} finished ones{guess}"


def _tuning_lines(estimate: TuningCostEstimate, currency: str) -> Iterator[str]:
    """Describe the tuning: trials planned and finished, and the estimated cost of those to come."""
    total = estimate.made.trials + estimate.tries.trials
    finished = (
        f"{estimate.made.trials} finished{_cost(estimate.made, currency)}" if estimate.made.trials else "none finished"
    )
    strategies = f"{estimate.strategies} strategies, counted per backbone and task column"
    yield f"tuning: {total} tuning trials for {strategies}; {finished}"
    for name, one in (("tuning trials", estimate.tries), ("trials with chosen or untuned values", estimate.finals)):
        if one.trials:
            cost = _cost(one, currency) or ": cost unknown, no similar trial has run"
            yield f"tuning: {one.trials} {name} to run{cost}"


def _cost(estimate: CostEstimate, currency: str) -> str:
    if estimate.unknown == estimate.trials:
        return ""
    money = "" if estimate.money is None else f", {quantity(estimate.money, currency)}"
    unknown = f", {estimate.unknown} of them unknown" if estimate.unknown else ""
    return f", {quantity(estimate.seconds, 's')}{money}{unknown}"


def _predict(context: CommandContext, suite: str | None, **options: Any) -> None:
    from ..training.accounting.prediction import Question, device_memory_limit, predict_configurations
    from .prediction_table import print_predictions

    memory = device_memory_limit(options["gpu_memory"], options["device"])
    device = "cpu"
    if suite is not None:
        configurations, device = _configurations_of_suite(context, suite)
    else:
        configurations = _configurations_of_model(context, **options)
    kernels: Kernels = options["kernels"] or ("cuda" if memory is not None or device == "cuda" else "cpu")
    question = Question(kernels, options["length"], memory)
    predictions = predict_configurations(configurations, context.catalog, question)
    print_predictions(predictions, question, "json" if options["as_json"] else options["form"])


def _configurations_of_suite(context: CommandContext, suite: str) -> tuple[Sequence[Configuration], str]:
    from ..runner.local_plan import choose_device
    from ..training.accounting.prediction import configurations_of_suite

    parsed = context.suite(suite)
    device = choose_device(parsed.machine.device)
    configurations, unknown = configurations_of_suite(parsed, context.catalog, device)
    for line in unknown:
        click.echo(f"note: {line}; its cost can be predicted once it is downloaded", err=True)
    return configurations, device


def _configurations_of_model(
    context: CommandContext,
    *,
    model: str,
    task: str,
    batch: int,
    classes: int | None,
    strategies: Sequence[str],
    **_: Any,
) -> list[Configuration]:
    from ..training.accounting.prediction import configurations_of_model

    known = context.catalog.offers.get("backbones", {})
    is_backbone = model in known and not Path(model).is_dir()
    backbone, backbone_options = (model, {}) if is_backbone else ("transformers", {"path": model})
    return configurations_of_model(
        context.catalog, backbone, backbone_options, task, batch_size=batch, classes=classes, strategies=strategies
    )
