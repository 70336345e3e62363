"""Records of a tuned run: tuning trials on the validation split, and final and untuned trials on the test split."""

from __future__ import annotations

from dataclasses import replace

from ftbench import Measurement
from ftbench.analysis.tuning.tuning_summary import budgets_of, searches_of, with_tuning
from ftbench.meters import Phase
from ftbench.reporting import Failure, summarise

from tests.support.made_records import record

RATES = (1e-4, 1e-3, 1e-2)


def tries(strategy, scores, *, budget="3 tries", untuned=1e-3, target="digits", rates=RATES):
    """Return the record of a tuning trial for each learning rate; a score of None makes a failed one."""
    found = []
    for rate, score in zip(rates, scores, strict=True):
        made = record(strategy, 1000, score or 0.0, target=target)
        choice = {"search": "grid", "budget": budget, "metric": "", "untuned": {"lr": untuned}}
        choice["space"] = {"lr": {"low": rates[0], "high": rates[-1], "log": True, "whole": False}}
        trial = {**made.trial, "role": "try", "values": {"lr": rate}, "choice": choice}
        readings = (
            Measurement("accuracy", score or 0.0, "1", "higher", scope="validation"),
            Measurement("wall_time", 4.0, "s", "lower"),
            Measurement("cost", 0.5, "USD", "lower"),
            Measurement("energy", None, "J", "lower", reason="no NVIDIA driver"),
        )
        made = replace(
            made,
            id=f"{strategy}-{rate}",
            trial=trial,
            measurements=readings,
            phases=(Phase("load", 1.0), Phase("train", 2.0)),
        )
        if score is None:
            made = replace(made, status="error", failure=Failure("Error", "too fast"), measurements=readings[1:])
        found.append(made)
    return found


def finals(strategy, scores, rate=1e-3, *, role="final", target="digits"):
    """Return the record of a trial per seed, with these scores on the test split."""
    found = []
    for seed, score in enumerate(scores):
        made = record(strategy, seed, score, target=target)
        stages = [{**made.trial["stages"][0], "training": {"lr": rate, "batch_size": 16}}]
        found.append(
            replace(made, id=f"{strategy}-{role}-{seed}", trial={**made.trial, "role": role, "stages": stages})
        )
    return found


def summed(compared, tuning, **options):
    """Return the summary of final and tuning trials, as reports receive it."""
    searches = searches_of(tuning)
    return with_tuning(summarise(compared, budgets=budgets_of(searches), **options), tuning, searches)
