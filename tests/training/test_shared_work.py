"""Work that several trials need is done once, charged to each of them, and changes no result."""

import gzip
import json
import tomllib

import numpy as np
import pytest
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.training.messages import Spec
from ftbench.training.trial import carry_out

SUITE = """
name = "shared"
seeds = {seeds}
profile = "smoke"
[training]
steps = {steps}
batch_size = 8
[machine]
threads = 1
[measure]
meters = ["time"]
{parts}
"""
DIGITS = (
    '[[backbone]]\nuse = "tiny-vit"\n[[task]]\nuse = "digits"\ntrain_size = 40\nvalidation_size = 20\ntest_size = 60\n'
)
WORDS = (
    '[[backbone]]\nuse = "minilm"\n[[task]]\nuse = "word-sentiment"\n'
    "train_size = 24\nvalidation_size = 8\ntest_size = 40\n"
)
COMMANDS = (
    '[[backbone]]\nuse = "tiny-wav2vec2"\n[[task]]\nuse = "spoken-commands"\n'
    "train_size = 20\nvalidation_size = 10\ntest_size = 20\n"
)
SEQUENCE = """
[[backbone]]
use = "tiny-vit"
[[task]]
use = "digits-0-4"
train_size = 30
validation_size = 20
test_size = 40
alone = false
[[task]]
use = "digits-5-9"
train_size = 30
validation_size = 20
test_size = 40
alone = false
[[sequence]]
label = "low-high"
tasks = ["digits-0-4", "digits-5-9"]
"""


def strategies(*tables):
    return "".join(f"[[strategy]]\n{table}\n" for table in tables)


@pytest.fixture
def carried(catalog, tmp_path):
    """Run the trials of a suite one after another; return the outcomes, each with its predictions."""

    def carry(parts, *, steps=6, seeds="[0]", cache="cache", chosen=None):
        suite = parse_suite(tomllib.loads(SUITE.format(steps=steps, seeds=seeds, parts=parts)), catalog)
        found = []
        for trial in [trial for trial in plan(suite, catalog) if chosen is None or trial.strategy.label in chosen]:
            outcome = carry_out(Spec(trial, "cpu", str(tmp_path / cache)), catalog, tmp_path, lambda event: None)
            assert outcome["status"] == "ok", outcome["failure"]
            with gzip.open(tmp_path / "predictions.jsonl.gz", "rt") as stream:
                outcome["predictions"] = [json.loads(line) for line in stream]
            found.append(outcome)
        return found

    (tmp_path / "blocked").write_text("in the way")
    return carry


def result(outcome):
    """What a trial came to, to the last bit, times left out."""
    curves = [
        {
            **curve,
            "points": [
                {name: value for name, value in point.items() if name != "seconds"} for point in curve["points"]
            ],
        }
        for curve in outcome["curves"]
    ]
    scores = [(m["name"], m["task"], m["value"]) for m in outcome["measurements"] if m["name"] in {"accuracy", "loss"}]
    return outcome["predictions"], curves, scores, outcome["retention"]


def reading(outcome, name):
    return next((m for m in outcome["measurements"] if m["name"] == name), None)


def shared(outcome):
    return {one["name"]: one["here"] > 0 for one in outcome["shared"]}


# -- features ----------------------------------------------------------------------------------------------------------


def numbers(outcome):
    rows = [[value for value in line.values() if isinstance(value, float)] for line in outcome["predictions"]]
    losses = [point["loss"] for curve in outcome["curves"] for point in curve["points"]]
    return np.array([value for row in rows for value in row] + losses)


@pytest.mark.parametrize("parts", [DIGITS, WORDS, COMMANDS], ids=["images", "words", "sounds"])
def test_a_head_trained_on_features_is_the_head_trained_on_the_network(carried, parts, monkeypatch):
    from ftbench_plugins.strategies.frozen import Frozen

    parts += strategies('use = "frozen"')
    (read,) = carried(parts, steps=14)
    assert shared(read)["features"]
    assert reading(read, "effective_throughput")["value"] > reading(read, "throughput")["value"] > 0
    monkeypatch.setattr(Frozen, "features_stay", False)
    (computed,) = carried(parts, steps=14)
    assert not computed["shared"]
    assert reading(computed, "effective_throughput") is None
    np.testing.assert_allclose(numbers(read), numbers(computed), rtol=1e-3, atol=1e-4)


def test_other_seeds_and_rates_read_the_same_features(carried):
    first, second = carried(DIGITS + strategies('use = "frozen"', 'use = "frozen"\nlabel = "slower"\nlr = 1e-3'))
    assert shared(first)["features"]
    assert not any(shared(second).values())
    (again,) = carried(DIGITS + strategies('use = "frozen"'), seeds="[1]")
    assert not any(shared(again).values())
    seconds = sum(one["seconds"] for one in first["shared"])
    assert sum(one["seconds"] for one in again["shared"]) == pytest.approx(seconds)


def test_features_read_made_or_not_kept_give_the_same_bits(carried):
    parts = DIGITS + strategies('use = "frozen"')
    made, read = carried(parts) + carried(parts)
    (unkept,) = carried(parts, cache="blocked")
    assert result(made) == result(read) == result(unkept)


@pytest.mark.parametrize("options", ["last_k = 1", 'layers = "mix"'])
def test_nothing_is_read_where_something_below_the_head_trains(carried, options):
    (outcome,) = carried(DIGITS + strategies(f'use = "frozen"\n{options}'))
    assert not outcome["shared"]


def test_nothing_is_read_where_examples_are_augmented(carried):
    parts = DIGITS.replace("train_size", 'augment = ["rotation"]\ntrain_size') + strategies('use = "frozen"')
    (outcome,) = carried(parts)
    assert not outcome["shared"]


# -- teachers, Fisher information, first tasks -------------------------------------------------------------------------


def test_a_teacher_is_taught_once_for_all_its_students(carried):
    students = (
        'use = "distillation"',
        'use = "distillation"\nlabel = "warm"\noptions = { temperature = 4.0 }\nlr = 5e-4',
    )
    first, second = carried(DIGITS + strategies(*students))
    assert shared(first) == {"answers": True}
    assert shared(second) == {"answers": False}
    (alone,) = carried(DIGITS + strategies(*students), cache="blocked", chosen=["warm"])
    assert result(second) == result(alone)
    taught = next(one for one in first["shared"])
    assert second["shared"][0]["seconds"] == taught["seconds"] == pytest.approx(taught["here"])
    assert "teacher" in {phase["name"] for phase in first["phases"]}
    assert "teacher" in {phase["name"] for phase in second["phases"]}


def test_a_teacher_that_reads_along_is_the_one_that_answered(carried):
    students = ('use = "distillation"', 'use = "distillation"\nlabel = "hidden"\noptions = { hidden = 1.0 }')
    _, second = carried(DIGITS + strategies(*students))
    assert shared(second) == {"teacher": False}
    (alone,) = carried(DIGITS + strategies(*students), cache="blocked", chosen=["hidden"])
    assert result(second) == result(alone)


def test_what_was_read_for_something_that_was_made_is_charged_with_it(carried):
    students = ('use = "distillation"\noptions = { hidden = 1.0 }', 'use = "distillation"\nlabel = "plain"')
    first, second = carried(DIGITS + strategies(*students))
    (taught,) = first["shared"]
    (answers,) = second["shared"]
    assert answers["seconds"] == pytest.approx(taught["seconds"] + answers["here"])
    assert answers["here"] > 0


ALL = ('use = "full"', 'use = "ewc"', 'use = "ewc"\nlabel = "strong"\noptions = { strength = 1e5 }', 'use = "replay"')


def test_a_first_task_is_learnt_once_for_all_who_learn_it_the_same(carried):
    outcomes = carried(SEQUENCE + strategies(*ALL))
    assert [shared(outcome) for outcome in outcomes] == [
        {"source": True},
        {"source": False, "fisher": True},
        {"source": False, "fisher": False},
        {"source": False},
    ]
    alone = carried(SEQUENCE + strategies(*ALL), cache="blocked")
    for together, apart in zip(outcomes, alone, strict=True):
        assert result(together) == result(apart)
    first, *others = [reading(outcome, "train_time")["value"] for outcome in outcomes]
    source = next(one["seconds"] for one in outcomes[0]["shared"])
    assert all(value > source for value in others)
    assert "of another trial that shares" in reading(outcomes[1], "train_time")["method"]
    assert first > source * 0.9


def test_another_seed_rate_or_length_learns_its_own_first_task(carried):
    tables = ('use = "full"', 'use = "full"\nlabel = "slower"\nlr = 1e-4')
    assert [shared(outcome)["source"] for outcome in carried(SEQUENCE + strategies(*tables))] == [True, True]
    assert [shared(outcome)["source"] for outcome in carried(SEQUENCE + strategies(*tables), seeds="[1]")] == [
        True,
        True,
    ]
    assert [shared(outcome)["source"] for outcome in carried(SEQUENCE + strategies(*tables), steps=7)] == [True, True]


def test_spoilt_work_is_done_anew_with_the_same_result(carried, tmp_path):
    before = carried(SEQUENCE + strategies(*ALL[:2]))
    spoilt = 0
    for file in (tmp_path / "cache" / "entries").glob("*/*/*"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(bytes(content))
        spoilt += 1
    assert spoilt > 6
    after = carried(SEQUENCE + strategies(*ALL[:2]))
    assert [result(outcome) for outcome in before] == [result(outcome) for outcome in after]
    assert shared(after[0])["source"]
