"""The accounting of a trial in its record: exact, once for all seeds, and without a trace in the trial itself."""

import dataclasses
import json
import random
import tomllib

import numpy as np
import pytest
import torch
from ftbench import Strategy, Watch
from ftbench.api.finished_trial import FinishedTrial
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.training.accounting.configuration import account_configuration, account_once, configuration_of
from ftbench.training.accounting.prediction import Question, predict_configuration
from ftbench.training.messages import Spec
from ftbench.training.seeding import seed_all, seeds_kept
from ftbench.training.trial import Execution, carry_out

from ftbench_plugins.meters.accounting import PARTS, UNITS, AccountingMeter
from tests.conftest import TINY

SEQUENCE = """
[[task]]
use = "digits"
label = "more"
train_size = 40
validation_size = 20
test_size = 60
[[sequence]]
label = "both"
tasks = ["digits", "more"]
"""


def trials(catalog, *strategies, seeds="[0]", extra="", knobs="", augment=""):
    text = TINY.format(
        measure="",
        name="x",
        seeds=seeds,
        steps=3,
        limit="1m",
        strategies="".join(f'[[strategy]]\nuse = "{s}"\n' for s in strategies),
    )
    text = text.replace("test_size = 60", f"test_size = 60\n{augment}")
    return plan(
        parse_suite(tomllib.loads(text.replace("batch_size = 8", f"batch_size = 8\n{knobs}") + extra), catalog), catalog
    )


@pytest.fixture
def carry(catalog, tmp_path):
    def carry(trial, cache="cache", catalog=catalog, meters=("accounting",)):
        trial = dataclasses.replace(trial, meters=meters)
        outcome = carry_out(Spec(trial, "cpu", str(tmp_path / cache)), catalog, tmp_path, lambda event: None)
        assert outcome["status"] == "ok", outcome["failure"]
        return outcome

    return carry


def readings(outcome):
    return {m["name"]: m for m in outcome["measurements"] if m["name"] in UNITS}


@pytest.mark.parametrize("use", ["full", "lora", "distillation"])
def test_two_runs_that_share_nothing_come_to_the_same_integers_and_to_those_of_the_plan(use, catalog, carry):
    (trial,) = trials(catalog, use)
    one, other = (readings(carry(trial, cache)) for cache in ("one", "other"))
    assert one == other
    assert set(one) == set(UNITS)
    predicted = predict_configuration(configuration_of(trial), catalog, Question()).accounting
    assert one["flops_per_step"]["value"] == predicted.flops
    assert one["flops_per_example"]["value"] == predicted.flops_per_example == round(predicted.flops / 8)
    assert one["peak_tensor_bytes"]["value"] == predicted.peak.total
    assert sum(one[part]["value"] for part in PARTS) == predicted.peak.total
    assert {(m["unit"], m["direction"], m["scope"]) for m in one.values()} == {
        ("FLOP", "lower", "train"),
        ("B", "lower", "train"),
    }
    assert "batch of 8" in one["flops_per_step"]["method"]
    assert all(m["method"] for m in one.values())


def test_the_seeds_of_a_cell_share_one_accounting_and_other_cells_do_not(catalog, carry, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(
        "ftbench.training.accounting.configuration.account_configuration",
        lambda *arguments, **how: made.append(1) or account_configuration(*arguments, **how),
    )
    first, second = trials(catalog, "lora", seeds="[0, 1]")
    assert readings(carry(first)) == readings(carry(second))
    assert len(made) == 1
    (note,) = (tmp_path / "cache" / "accounting").iterdir()
    note.write_text("torn")
    assert readings(carry(second)) == readings(carry(first))
    assert len(made) == 2
    for other in (
        trials(catalog, "frozen")[0],
        trials(catalog, "lora", knobs="accumulation = 2")[0],
        dataclasses.replace(first, code="new"),
    ):
        carry(other)
    assert len(made) == 5


def test_the_trial_does_not_feel_it(catalog, carry, monkeypatch):
    """Even where it is done before the training begins."""
    (trial,) = trials(catalog, "full")
    plain = carry(trial, meters=())
    train_stages = Execution._train_stages

    def after_accounting(execution, *arguments):
        execution._account()
        return train_stages(execution, *arguments)

    monkeypatch.setattr(Execution, "_train_stages", after_accounting)
    found = carry(trial, meters=())
    assert [phase["name"] for phase in found["phases"]][:5] == ["start", "load", "other", "accounting", "prepare"]
    assert [c["points"][-1]["task_loss"] for c in found["curves"]] == [
        c["points"][-1]["task_loss"] for c in plain["curves"]
    ]
    assert found["measurements"] == plain["measurements"]


def test_no_source_of_randomness_moves():
    def drawn():
        return random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002

    seed_all(3)
    expected = drawn()
    seed_all(3)
    with seeds_kept():
        seed_all(4)
        drawn()
    assert drawn() == expected


def test_what_it_takes_is_a_phase_of_its_own(catalog, carry):
    outcome = carry(*trials(catalog, "full"))
    names = [phase["name"] for phase in outcome["phases"]]
    assert names.index("accounting") > names.index("save")


def test_a_whole_sequence_is_accounted_for(catalog, carry):
    plain, held = (trial for trial in trials(catalog, "full", "ewc", extra=SEQUENCE) if trial.is_sequence)
    plain, held = (readings(carry(trial)) for trial in (plain, held))
    assert plain["flops_per_step"]["value"] == held["flops_per_step"]["value"]
    parameters = plain["peak_parameter_bytes"]["value"]
    # An anchor and an information of each weight outside the heads.
    assert held["peak_extra_bytes"]["value"] - plain["peak_extra_bytes"]["value"] == pytest.approx(
        2 * parameters, rel=0.01
    )


def test_what_the_protocol_asks_of_the_loss_is_in_it_and_augmentations_are_seen_though_not_done(catalog, carry):
    def flops(use, knobs="", augment=""):
        (trial,) = trials(catalog, use, knobs=knobs, augment=augment)
        return readings(carry(trial))["flops_per_step"]["value"]

    assert flops("full") == flops("full", 'label_smoothing = 0.1\nclass_weights = "balanced"')
    # The teacher reads along where examples change: its forward pass is in every step.
    assert flops("distillation", augment='augment = ["random-crop"]') > 1.5 * flops("distillation")


class Looking(Strategy):
    """Train everything while the loss is high."""

    lr_ratio = 1.0

    def prepare(self, learner, bench):
        """Train everything."""

    def loss(self, learner, batch, outputs, task_loss):
        """Look at the loss."""
        return task_loss if task_loss.item() > 1e-9 else task_loss * 2


@pytest.mark.parametrize(("use", "reason"), [("looking", "depends on values"), ("none", "nothing was trained")])
def test_where_it_cannot_be_known_every_reading_says_why(use, reason, catalog, carry):
    offers = {**catalog.offers, "strategies": {**catalog.offers["strategies"], "looking": Looking}}
    (trial,) = trials(replaced := dataclasses.replace(catalog, offers=offers), use)
    found = readings(carry(trial, catalog=replaced))
    assert set(found) == set(UNITS)
    assert all(m["value"] is None and reason in m["reason"] for m in found.values())


def test_a_trial_on_a_card_is_accounted_for_with_the_kernels_of_a_card(catalog, tmp_path):
    digits = catalog.build("tasks", "digits", {})
    (trial,) = trials(catalog, "full")
    there = account_once(dataclasses.replace(trial, device="cuda"), catalog, tmp_path)
    assert there == predict_configuration(configuration_of(trial), catalog, Question(target="cuda")).accounting
    meter = AccountingMeter()
    meter.start(Watch("cuda:0", 1))
    meter.examine(FinishedTrial(None, digits, None, None, None, account=lambda: there))
    assert all("kernels of a CUDA GPU" in m.method for m in meter.stop()[:3])


def test_a_trial_that_failed_has_readings_that_say_so():
    meter = AccountingMeter()
    meter.start(Watch("cpu", 1))
    assert {m.reason for m in meter.stop()} == {"the trial ended before it was accounted for"}


@pytest.mark.slow
def test_a_run_puts_it_into_every_record_by_default(ftbench, tiny_suite, tmp_path):
    tiny_suite(["full", "lora"], seeds="[0, 1]", measure="")
    ftbench("run", "tiny.toml", check=0, env={"FTBENCH_CACHE": str(tmp_path / "cache")})
    records = [json.loads(path.read_text()) for path in (tmp_path / "runs" / "tiny").glob("trials/*/*/record.json")]
    assert len(records) == 4
    by_strategy = {}
    for record in records:
        by_strategy.setdefault(record["trial"]["strategy"]["label"], []).append(readings(record))
    assert all(one == other for one, other in by_strategy.values())
    assert by_strategy["lora"][0]["peak_tensor_bytes"]["value"] < by_strategy["full"][0]["peak_tensor_bytes"]["value"]
    page = (tmp_path / "runs" / "tiny" / "report.html").read_text()
    for shown in ("FLOPs a step", "MFLOP", "peak tensor bytes", "by torch&#39;s formulas"):
        assert shown in page
