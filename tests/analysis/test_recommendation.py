"""Recommendations: the page's answer, with limits and preferences, and none if the data are inconclusive."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ftbench import Measurement
from ftbench.analysis.recommendation import Limit, recommend
from ftbench.records.store import Store
from ftbench.reporting import summarise
from ftbench.stats.item_scores import Items

from tests.conftest import ROOT
from tests.support.made_records import record

EXAMPLE = ROOT / "reports" / "example" / "example.zip"


def run(seeds=5, noise=0.003, **strategies):
    """Records of strategies by accuracy, images a second and host memory."""
    rng = np.random.default_rng(0)
    return [
        replace(found, measurements=(*found.measurements, *costs))
        for name, (accuracy, speed, memory) in strategies.items()
        for seed in range(seeds)
        for costs in (
            (
                Measurement("throughput", speed * (1 + rng.normal(0, noise)), "images/s", "higher"),
                Measurement("peak_host_memory", memory * (1 + rng.normal(0, noise)), "B", "lower"),
            ),
        )
        for found in (record(name, seed, accuracy + rng.normal(0, noise)),)
    ]


FOUR = {"full": (0.95, 100, 9e9), "lora": (0.94, 160, 5e9), "frozen": (0.70, 500, 1e9), "slow": (0.93, 50, 2e9)}


def at_least(name, bound):
    return Limit((name,), bound, at_least=True)


def at_most(name, bound):
    return Limit((name,), bound, at_least=False)


def only(records, limits=(), prefer=None, **options):
    (found,) = recommend(summarise(records, **options), limits, prefer)
    return found


def test_of_those_that_meet_every_limit_the_preferred_one_is_recommended():
    found = only(run(**FOUR), [at_least("accuracy", 0.9), at_most("peak_host_memory", 8e9)], "throughput")
    assert found.recommended == ("lora",)
    assert found.why == ("lora meets every limit and has the highest throughput, significantly better than slow.",)
    assert {c.contender.label: c.standing for c in found.candidates} == {
        "lora": "met",
        "slow": "met",
        "full": "not met",
        "frozen": "not met",
    }


NEAR = {"a": (0.900, 100, 2e9), "b": (0.9005, 90, 1e9), "c": (0.901, 200, 1.05e9), "d": (0.5, 100, 1e8)}


def test_without_limits_it_is_the_answer_of_the_page():
    summary = summarise([*run(**FOUR), *(record("none", seed, 0.1, params=0.0) for seed in range(5))])
    (found,) = recommend(summary, ())
    answer = summary.targets[0].answer
    assert found.answer is answer
    assert found.recommended == (answer.pick,) == ("full",)
    assert found.why == answer.sentences


def test_of_those_that_could_be_the_best_the_cheapest_is_taken():
    found = only(run(noise=0.01, **NEAR))
    assert set(found.answer.possible) == {"a", "b", "c"}
    assert (found.prefer, found.measurement) == ("memory", "peak_host_memory")
    costs = {c.contender.label: c.contender.quantities["peak_host_memory"].estimate.mean for c in found.candidates}
    means = {c.contender.label: c.contender.quantities["accuracy"].estimate.mean for c in found.candidates}
    assert costs["d"] < min(costs["b"], costs["c"]) < max(costs["b"], costs["c"]) < 1.1 * min(costs["b"], costs["c"])
    # Both are within a tenth of the least cost: the better mean decides, and the cheapest of all is worse.
    assert found.recommended == (max("bc", key=means.get),)


def test_a_kind_of_cost_chooses_among_those_that_could_be_the_best_and_a_measurement_among_all():
    params = {"a": 5.0, "b": 900.0, "c": 800.0, "d": 1.0}
    records = [
        replace(
            one,
            measurements=tuple(
                replace(m, value=params[one.trial["strategy"]["label"]]) if m.name == "trainable_parameters" else m
                for m in one.measurements
            ),
        )
        for one in run(noise=0.01, **NEAR)
    ]
    by_kind = only(records, prefer="parameters")
    assert (by_kind.recommended, by_kind.measurement) == (("a",), "trainable_parameters")
    assert by_kind.why[0].startswith("Take a: accuracy ")
    assert by_kind.why[0].endswith("5 of trained weights.")
    assert only(records, prefer="trainable_parameters").recommended == ("d",)
    assert only(records, prefer="throughput").recommended == ("c",)


def test_with_limits_those_that_meet_them_are_compared_among_themselves():
    found = only(run(noise=0.01, **NEAR), [at_most("throughput", 150)])
    assert set(found.answer.possible) == {"a", "b"}
    assert found.recommended == ("b",)
    assert found.why[1] in ("3 of 4 meet every limit: b, a and d.", "3 of 4 meet every limit: a, b and d.")
    (alone,) = recommend(summarise(run(**FOUR)), [at_least("throughput", 400)])
    assert (alone.recommended, alone.decided) == (("frozen",), True)
    assert alone.why[1:] == ("Only frozen is sure to meet every limit.",)


def test_the_untrained_model_is_never_recommended():
    records = [*run(**FOUR), *(record("none", seed, 0.999, params=0.0) for seed in range(5))]
    for limits, prefer in (((), None), ([at_least("accuracy", 0.5)], None), ((), "throughput"), ((), "parameters")):
        found = only(records, limits, prefer)
        assert found.recommended
        assert "none" not in {*found.recommended, *(c.contender.label for c in found.candidates)}
    assert only(records, [at_least("accuracy", 0.99)]).recommended == ()


def test_what_the_data_cannot_separate_by_a_measurement_is_a_tie_and_shown_as_one():
    near = {"a": (0.900, 100, 1e9), "b": (0.9005, 100, 1e9), "c": (0.5, 100, 1e9)}
    found = only(run(noise=0.01, **near), prefer="accuracy")
    assert set(found.recommended) == {"a", "b"}
    assert "It is statistically tied with" in found.why[1]


def test_one_seed_recommends_the_best_mean_and_says_that_it_shows_nothing():
    one = only(run(seeds=1, **FOUR), [at_least("accuracy", 0.9)])
    assert [judged.by for judged in one.candidates[0].judged] == ["one seed, no interval"]
    assert (one.recommended, one.decided) == (("full",), False)
    assert "one seed cannot show which is better" in one.why[0]


def test_a_limit_inside_an_interval_is_undecided_and_never_met():
    found = only(run(noise=0.02, **FOUR), [at_least("accuracy", 0.94)])
    standing = {c.contender.label: c.standing for c in found.candidates}
    assert standing["lora"] == "undecided"
    assert standing["frozen"] == "not met"
    assert found.recommended == ()
    assert "lora" in found.why[0]
    assert "may" in found.why[0]


def test_a_score_is_held_to_its_limit_on_new_test_items():
    records = run(noise=0.001, full=(0.95, 1, 1))

    def read(one):
        right = np.array([1.0] * 19 + [0.0])
        return Items("accuracy", "same", right + one.measurement("accuracy").value - 0.95)

    limit = [at_least("accuracy", 0.9)]
    assert only(records, limit).candidates[0].judged[0].standing == "met"
    (judged,) = only(records, limit, read=read).candidates[0].judged
    assert (judged.standing, judged.by) == ("undecided", "over seeds and new test items")
    assert judged.interval.low < 0.9


def test_a_limit_on_what_was_not_measured_is_not_met():
    found = only(run(**FOUR), [at_most("peak_allocated_memory", 1e12)])
    assert found.recommended == ()
    assert found.why == ("No strategy can be checked against every limit: peak allocated memory was not measured.",)
    memory = Limit(("peak_device_memory", "peak_allocated_memory", "peak_host_memory"), 8e9, at_least=False)
    assert only(run(**FOUR), [memory]).candidates[0].judged[0].metric == "peak_host_memory"


def test_exact_counts_need_no_scatter_to_be_told_apart():
    records = [
        *(record("a", s, 0.9, params=10.0) for s in range(3)),
        *(record("b", s, 0.9, params=20.0) for s in range(3)),
    ]
    assert only(records, prefer="trainable_parameters").recommended == ("a",)


@pytest.fixture
def kept(tmp_path):
    store = Store(tmp_path / "r")
    for one in run(**FOUR):
        store.commit(one)
    return tmp_path / "r"


def test_the_command_answers_in_markdown_and_json(kept, ftbench):
    options = ["--max-memory", "8GB", "--min", "accuracy=90%", "--prefer", "throughput"]
    said = ftbench("recommend", kept, *options, check=0).stdout
    assert "**lora**" in said
    assert "| lora | 4.66 GiB [" in said
    answer = ftbench("recommend", kept, check=0).stdout
    assert "**Take full: accuracy 9" in answer
    assert answer.count("| take |") == 1
    table = json.loads(ftbench("recommend", kept, *options, "--format", "json", check=0).stdout)
    (target,) = table["targets"]
    assert (target["recommended"], target["decided"]) == (["lora"], True)
    assert table["limits"][0]["bound"] == 8e9
    first = target["candidates"][0]
    assert first["limits"][1]["metric"] == "accuracy"
    assert first["limits"][1]["interval"]["low"] > 0.9
    assert first["preferred"]["n"] == 5
    (target,) = json.loads(ftbench("recommend", kept, "--format", "json", check=0).stdout)["targets"]
    assert (target["recommended"], target["leader"], target["prefer"]) == (["full"], "full", "memory")
    assert (target["cost"], target["possible"][0]) == ("peak_host_memory", "full")
    assert ftbench("recommend", kept, "--prefer", "price").stderr == (
        "error: --prefer: this run did not measure price: cost\n"
    )


def test_a_bundle_is_read_like_a_run(ftbench):
    (table,) = [json.loads(ftbench("recommend", EXAMPLE, "--format", "json", check=0).stdout)]
    picks = {target["target"]: target["recommended"] for target in table["targets"]}
    assert picks["word-sentiment"] == ["parallel-adapter"]
    assert picks["digits"] == ["lora-and-bitfit"]
    assert picks["spoken-commands"] == ["lora"]
    for target in table["targets"]:
        assert target["recommended"][0] in target["possible"]
        assert target["leader"] == target["possible"][0]
        assert "none" not in {candidate["label"] for candidate in target["candidates"]}
    assert len(table["over_tasks"]["tasks"]) == 3


def test_every_mistake_is_a_line_with_its_likely_fix(kept, ftbench):
    done = ftbench(
        "recommend",
        kept,
        "--max-memory",
        "8X",
        "--min",
        "acuracy=0.9",
        "--max",
        "accuracy",
        "--max",
        "throughput=fast",
        "--min",
        "accuracy=90s",
        "--prefer",
        "troughput",
        "--task",
        "digit",
    )
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 7
    assert any("has no task or sequence 'digit'; did you mean 'digits'?" in line for line in lines)
    assert "error: --max-memory: '8X' is not a size; give one such as 16GB or 16GiB" in lines
    assert any("--min: this run has no measurement 'acuracy'; did you mean 'accuracy'?" in line for line in lines)
    assert "error: --max: 'accuracy' is not of the form NAME=VALUE, such as accuracy=0.9" in lines
    assert "error: --max: throughput: 'fast' is not a value in images/s" in lines
    assert any("'90s' is not a value in shares: give 0.9 or 90%" in line for line in lines)
    assert any(
        "--prefer: this run has no measurement 'troughput'; did you mean 'throughput'?" in line for line in lines
    )
