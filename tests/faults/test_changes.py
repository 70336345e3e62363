"""A trial fails if its data or weights change between plan and run, since they are part of its id."""

import csv
import json
import tomllib

import pytest
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.training.messages import Spec
from ftbench.training.trial import carry_out

SUITE = """
name = "own"
seeds = [0]
[training]
steps = 2
batch_size = 4
[machine]
threads = 1
[measure]
meters = ["parameters"]
[[backbone]]
use = "transformers"
path = "{model}"
[[task]]
use = "text-classification"
data = "{data}"
[[strategy]]
use = "frozen"
"""


@pytest.fixture
def planned(catalog, model_folder, tmp_path):
    """A planned trial with its own table and model directory, and a function that runs it."""
    import shutil

    data = tmp_path / "reviews.csv"
    with data.open("w", newline="") as stream:
        rows = [(f"the {word} number {n}", word) for n in range(30) for word in ("good", "bad")]
        csv.writer(stream).writerows([("text", "label"), *rows])
    model = shutil.copytree(model_folder("bert"), tmp_path / "model")
    (trial,) = plan(parse_suite(tomllib.loads(SUITE.format(model=model, data=data)), catalog), catalog)

    def end():
        folder = tmp_path / "attempt"
        folder.mkdir()
        return carry_out(Spec(trial, "cpu", str(tmp_path / "cache")), catalog, folder, lambda _: None)

    return data, model, end


def test_what_has_not_changed_is_run(planned):
    assert planned[2]()["status"] == "ok"


def test_a_data_set_that_changes_ends_the_trial(planned):
    data, _, end = planned
    data.write_text(data.read_text().replace("number 7", "number seven"))
    outcome = end()
    assert (outcome["status"], outcome["failure"]["kind"]) == ("error", "Changed")
    assert outcome["failure"]["message"].startswith("text-classification: changed since the trial was planned (")
    assert outcome["failure"]["message"].endswith("run the same command again to plan trials from the current files")


def test_weights_that_are_cut_short_after_the_plan_end_the_trial(planned):
    _, model, end = planned
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    outcome = end()
    assert (outcome["status"], outcome["failure"]["kind"]) == ("error", "Changed")
    assert "model.safetensors" in outcome["failure"]["message"]
    assert json.dumps(outcome), "it can be written"
