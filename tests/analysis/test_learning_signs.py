"""Signs of how learning went, from the curves of records, and their sentences on the page."""

from dataclasses import replace

import pytest
from ftbench.analysis.learning_signs import rises, still_falls
from ftbench.reporting import Curve, Failure, summarise

from ftbench_plugins.reports.learning import warnings
from ftbench_plugins.reports.page import render
from tests.support.made_records import RECORDS


def curve(training=(), validation=()):
    return Curve(
        "digits",
        tuple(
            {"step": float(n), "examples": 1.0 * n, "seconds": 1.0 * n, "task_loss": loss, "loss": loss}
            for n, loss in enumerate(training, 1)
        ),
        tuple({"step": float(n), "loss": loss} for n, loss in enumerate(validation, 1)),
    )


@pytest.mark.parametrize(
    ("losses", "falls"),
    [
        ((1.0, 0.8, 0.6), True),
        ((1.0, 0.6, 0.6), False),
        ((1.0, 0.5, 0.7), False),
        ((1.0, 0.6, 0.595), False),
        ((1.0, 0.5), False),
        ((), False),
    ],
)
def test_validation_loss_still_falls_if_the_last_is_clearly_the_lowest(losses, falls):
    assert still_falls(curve(validation=losses)) == falls


@pytest.mark.parametrize(
    ("losses", "up"),
    [
        ([1.0, 0.9, 0.5, 0.4, 0.4, 0.4, 0.9, 1.0], True),
        ([1.0, 0.9, 0.5, 0.4, 0.4, 0.4, 0.4, 0.41], False),
        ([1.0, 2.0], False),
    ],
)
def test_training_loss_rises_if_it_ends_above_its_lowest_quarter(losses, up):
    assert rises(curve(losses)) == up


def told(change):
    return summarise([change(r) for r in RECORDS])


def test_what_most_seeds_show_is_a_warning_on_the_page():
    def change(r):
        if r.trial["strategy"]["use"] != "lora":
            return r
        losses = (1.0, 0.8, 0.5) if r.trial["seed"] else (1.0, 0.5, 0.5)
        return replace(r, curves=(curve([0.9] * 6 + [2.0, 2.0], losses),))

    summary = told(change)
    (falling, rising) = warnings(summary.targets[0])
    assert falling == (
        "Not converged on digits, the validation loss still fell at the end: lora. More epochs would help it more than "
        "the others."
    )
    assert rising == "Training loss rose towards the end on digits: lora."
    assert falling in render(summary)
    assert next(sign.seeds for c in summary.targets[0].contenders for sign in c.signs) == (1, 2)


def test_a_strategy_that_diverged_on_some_seeds_is_named_with_them():
    def change(r):
        if r.trial["strategy"]["use"] == "lora" and r.trial["seed"] == 1:
            return replace(r, status="diverged", failure=Failure("Diverged", "not a number", ""), measurements=())
        return r

    assert warnings(told(change).targets[0]) == ["Diverged: lora (seed 1)."]


def test_nothing_is_said_where_nothing_is_to_be_said():
    assert warnings(summarise(RECORDS).targets[0]) == []
    assert 'class="warned"' not in render(summarise(RECORDS))
