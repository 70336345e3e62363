"""`ftbench plan`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UserError
from .context import CommandContext, runs_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.forecast import DetectableEffect
    from ..suite.trial import Trial
    from ..training.accounting.accounting import Kernels
    from ..training.accounting.configuration import Configuration


@click.command(name="plan")
@click.argument("suite", type=click.Path(), required=False)
@runs_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object per trial.")
@click.option("--predict", is_flag=True, help="Predict parameters, FLOPs and peak memory; needs no weights and no GPU.")
@click.option(
    "--card",
    metavar="SIZE",
    help="Say what fits a card of so much memory, such as 24GB, and the largest batch that does.",
)
@click.option("--device", metavar="cuda:N", help="The same for a card of this machine.")
@click.option(
    "--target",
    type=click.Choice(["cpu", "cuda"]),
    help="Whose kernels to predict; by default a card's where one is asked about.",
)
@click.option(
    "--length",
    type=click.FloatRange(min=0, min_open=True),
    help="Tokens, pixels of a side, or seconds of every example.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="Of predictions.",
)
@click.option(
    "--model",
    metavar="DIR_OR_ID",
    help="Predict for this model, without a suite: a directory, an id in the hub's cache, or a backbone.",
)
@click.option("--task", default="text-classification", show_default=True, help="With --model: the kind of task.")
@click.option(
    "--batch", type=click.IntRange(min=1), default=16, show_default=True, help="With --model: examples of a step."
)
@click.option(
    "--classes",
    type=click.IntRange(min=2),
    help="With --model: classes of the task, 2 by default; characters where it is a transcript, by default those of English.",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    help="With --model: may be repeated; by default all that need no options.",
)
@click.pass_context
def command(ctx: click.Context, /, suite: str | None, **options: Any) -> None:
    """Show the trials of SUITE: what each is, its id, its learning rate, and whether it is done. Or predict what they will take."""
    if (suite is None) == (options["model"] is None):
        raise UserError("give a SUITE, or a model with --model")
    if options["model"] is None and not options["predict"]:
        for name in ("card", "device", "target", "length"):
            if options[name] is not None:
                raise UserError(f"--{name} goes with --predict")
        assert suite is not None
        _show(CommandContext.of(ctx), suite, options["runs"], as_json=options["as_json"])
    else:
        _predict(CommandContext.of(ctx), suite, **options)


def _show(context: CommandContext, suite: str, runs: str, *, as_json: bool) -> None:
    from ..analysis.forecast import foresee_sight, foresee_tuning
    from ..environment import environment
    from ..fingerprint import digest
    from ..records.store import Store
    from ..records.tries import point_reader
    from ..runner.runner import choose_device, foresee_here
    from ..suite.tuner import Tuner

    parsed = context.suite(suite)
    foreseen = foresee_here(parsed, context.plugins, context.catalog)
    store = Store(Path(runs) / parsed.name)
    device = choose_device(parsed.machine.device)
    here = digest(environment(f"{device}:0" if device == "cuda" else device))
    course = Tuner(parsed, foreseen.trials, context.catalog).course(point_reader(store.reader(here)))
    statuses = {trial.id: store.status(trial.id, here) for trial in course.trials}
    done = {key for key, status in statuses.items() if status is not None}
    sight = {
        found.target: found
        for found in foresee_sight(store.folder, ((trial.target, trial.seed) for trial in foreseen.trials))
    }
    for trial in course.trials:
        shown = statuses[trial.id] or ("not-applicable" if trial.not_applicable else "planned")
        click.echo(_row(trial, shown, sight[trial.target], as_json=as_json))
    for line in foreseen.unknown:
        click.echo(f"note: {line}; its trials are known when `ftbench run` has downloaded it", err=True)
    if not as_json:
        for found in sight.values():
            click.echo(_told(found))
        if parsed.tuning is not None:
            from .tuning_text import toll_lines

            for line in toll_lines(foresee_tuning(course, store.folder, done, parsed.cost), parsed.cost.currency):
                click.echo(line)
        click.echo(f"{course.size} trials, {len(done)} done, on {device} with {parsed.machine.threads} threads each")


def _row(trial: Trial, status: str, seen: DetectableEffect, *, as_json: bool) -> str:
    training = trial.stages[-1].training
    if not as_json:
        return f"{trial.id}  {status:<14}  {trial.name}  lr {training['lr']:g}"
    row = {"id": trial.id, "cell": trial.cell, "status": status, "target": trial.target, "seed": trial.seed}
    row |= {"backbone": trial.backbone.label, "strategy": trial.strategy.label, "lr": training["lr"]}
    row |= {"s_d": seen.noise.s_d if seen.noise else None, "detectable": seen.detectable}
    row |= {"role": trial.role, "values": dict(trial.values)}
    return json.dumps(row)


def _told(seen: DetectableEffect) -> str:
    """Say which differences the planned seeds can find."""
    from ..formatting import quantity
    from ..stats.estimates import CLAIM

    if seen.seeds < CLAIM or seen.in_deviations is None:
        return f"{seen.target}: {seen.seeds} seed{'s' if seen.seeds > 1 else ''} can find no difference: claims are made from {CLAIM} on"
    if seen.noise is None or seen.detectable is None:
        return f"{seen.target}: unknown noise; {seen.seeds} seeds find a difference of {seen.in_deviations:.2f} of its standard deviations"
    smallest, s_d = (
        f"{100 * v:.1f} points" if seen.unit == "1" else quantity(v, seen.unit)
        for v in (seen.detectable, seen.noise.s_d)
    )
    found = f"{seen.seeds} seeds find a difference of {smallest} in {seen.metric.replace('_', ' ')} with 80 % power"
    return f"{seen.target}: {found} (standard deviation of a difference {s_d}: {seen.noise.source}, in earlier runs)"


def _predict(context: CommandContext, suite: str | None, **options: Any) -> None:
    from ..training.accounting.prediction import Question, card_memory, predict_cells
    from .prediction_table import print_predictions

    memory = card_memory(options["card"], options["device"])
    device = "cpu"
    if suite is not None:
        cells, device = _cells_of_suite(context, suite)
    else:
        cells = _cells_of_model(context, **options)
    target: Kernels = options["target"] or ("cuda" if memory is not None or device == "cuda" else "cpu")
    question = Question(target, options["length"], memory)
    predictions = predict_cells(cells, context.catalog, question)
    print_predictions(predictions, question, "json" if options["as_json"] else options["form"])


def _cells_of_suite(context: CommandContext, suite: str) -> tuple[Sequence[Configuration], str]:
    from ..runner.runner import choose_device
    from ..training.accounting.prediction import cells_of_suite

    parsed = context.suite(suite)
    device = choose_device(parsed.machine.device)
    cells, unknown = cells_of_suite(parsed, context.catalog, device)
    for line in unknown:
        click.echo(f"note: {line}; what it takes can be said when it is there", err=True)
    return cells, device


def _cells_of_model(
    context: CommandContext, *, model: str, task: str, batch: int, classes: int | None, strategies: Sequence[str], **_: Any
) -> list[Configuration]:
    from ..training.accounting.prediction import cells_of_model

    known = context.catalog.offers.get("backbones", {})
    backbone, named = (model, {}) if model in known and not Path(model).is_dir() else ("transformers", {"path": model})
    return cells_of_model(
        context.catalog, backbone, named, task, batch_size=batch, classes=classes, strategies=strategies
    )
