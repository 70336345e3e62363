"""`ftbench plan`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .setting import Setting, runs_option, suite_argument


@click.command(name="plan")
@suite_argument
@runs_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object per trial.")
@click.pass_context
def command(ctx: click.Context, suite: str, runs: str, as_json: bool) -> None:
    """Show the trials of SUITE: what each is, its id, its learning rate, and whether it is done."""
    from ..fingerprint import digest, environment
    from ..running import choose_device, foresee_here
    from ..store import Store

    setting = Setting.of(ctx)
    parsed = setting.suite(suite)
    foreseen = foresee_here(parsed, setting.plugins, setting.catalog)
    trials = foreseen.trials
    store = Store(Path(runs) / parsed.name)
    device = choose_device(parsed.machine.device)
    here = digest(environment(f"{device}:0" if device == "cuda" else device))
    done = 0
    for trial in trials:
        status = store.status(trial.id, here)
        done += status is not None
        shown = status or ("not-applicable" if trial.not_applicable else "planned")
        training = trial.stages[-1].training
        if as_json:
            row = {"id": trial.id, "cell": trial.cell, "status": shown, "target": trial.target, "seed": trial.seed}
            row |= {"backbone": trial.backbone.label, "strategy": trial.strategy.label, "lr": training["lr"]}
            click.echo(json.dumps(row))
        else:
            click.echo(f"{trial.id}  {shown:<14}  {trial.name}  lr {training['lr']:g}")
    for line in foreseen.unknown:
        click.echo(f"note: {line}; its trials are known when `ftbench run` has downloaded it", err=True)
    if not as_json:
        click.echo(f"{len(trials)} trials, {done} done, on {device} with {parsed.machine.threads} threads each")
