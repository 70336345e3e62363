"""The answer for a task column: who could be the best, who to take, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest
from ftbench import Measurement
from ftbench.analysis.answer import counted
from ftbench.reporting import summarise

from tests.support.made_records import record

MEMORY = {"full": 400.0, "lora": 100.0, "adapter": 105.0, "bitfit": 130.0, "prefix": 90.0}


def run(leads, *, seeds=5, noise=0.008, seed=0, level=0.8, memory=MEMORY, **noises):
    """Return records of strategies with a lead in score each; memory in MB by strategy."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, seeds)
    found = []
    for name, lead in leads.items():
        for number in range(seeds):
            value = level + lead + common[number] + rng.normal(0, noises.get(name, noise))
            one = record(name, number, round(min(max(value, 0.0), 1.0), 3), params=0.0 if name == "none" else 1000.0)
            if name in memory:
                peak = Measurement("peak_tensor_bytes", memory[name] * 1e6, "B", "lower", method="accounting")
                one = replace(one, measurements=(*one.measurements, peak))
            found.append(one)
    return found


def answer_of(records, **options):
    (target,) = summarise(records, **options).targets
    return target.answer


def test_the_pick_is_the_best_mean_among_the_cheapest_of_those_that_could_be_the_best():
    leads = {"full": 0.006, "lora": 0.0, "adapter": 0.004, "bitfit": 0.004, "prefix": -0.2}
    found = answer_of(run(leads, seed=1))
    assert found.leader == "full"
    assert set(found.possible) == {"full", "lora", "adapter", "bitfit"}
    # prefix costs less, but is worse; bitfit costs more than 10 % above the least; adapter is better than lora.
    assert (found.pick, found.cost) == ("adapter", "peak_tensor_bytes")
    assert found.sentences == (
        "Take adapter: accuracy 80.5 % [79.2, 81.8], 100.1 MiB of memory (0.26 × full).",
        "Could be the best, 95 % sure: full, adapter, bitfit and lora.",
        "Cheapest of them, by memory: adapter.",
        "prefix is worse than full, by 21.1 points [20.1, 22.1].",
        "About 35 seeds would leave one, at the differences seen.",
    )


@pytest.mark.parametrize(("prefer", "cost"), [("memory", "peak_tensor_bytes"), ("parameters", "trainable_parameters")])
def test_the_suite_prefers_a_kind_of_cost(prefer, cost):
    assert answer_of(run({"full": 0.0, "lora": 0.0}), prefer=prefer).cost == cost


def test_without_any_cost_the_leader_is_the_pick():
    found = answer_of(run({"full": 0.0, "lora": 0.001}, memory={}), prefer="price")
    assert (found.pick, found.cost) == (found.leader, "")
    assert not any("Cheapest" in sentence for sentence in found.sentences)


def test_a_clear_winner_is_the_only_one():
    found = answer_of(run({"full": 0.15, "lora": 0.0, "adapter": -0.02}))
    assert (found.pick, found.possible, found.seeds) == ("full", ("full",), None)
    assert found.sentences[1] == "It is the only one that could be the best, 95 % sure."
    assert found.sentences[2].startswith("lora and adapter are worse; lora is the closest to full, by ")


def test_one_seed_answers_with_the_best_mean_and_says_what_it_cannot():
    found = answer_of(run({"full": 0.0, "lora": 0.05}, seeds=1))
    assert (found.pick, found.decided, found.seeds) == ("lora", False, None)
    assert found.sentences[0].endswith(": one seed cannot show which is better; 3 can.")
    assert found.intervals == {}


def test_a_strategy_that_lost_its_seeds_is_not_picked_for_its_price():
    records = [
        r for r in run({"full": 0.0, "lora": 0.0, "prefix": 0.2}) if r.id not in {f"prefix{n}" for n in range(1, 5)}
    ]
    found = answer_of(records)
    assert set(found.possible) == {"full", "lora"}
    assert (found.pick, found.unjudged) == ("lora", ("prefix",))
    assert "Too few seeds to judge prefix." in found.sentences


def test_two_seeds_of_several_strategies_decide():
    found = answer_of(run({"full": 0.0, "lora": 0.0, "adapter": -0.3, "bitfit": 0.0}, seeds=2))
    assert found.decided
    assert "adapter" in found.worse


def test_the_untrained_model_is_a_reference_and_no_contender():
    records = run({"full": 0.1, "lora": 0.1, "adapter": 0.08, "none": -0.4})
    (target,) = summarise(records).targets
    assert {c.label for c in target.contenders} == {"full", "lora", "adapter"}
    assert [c.label for c in target.references] == ["none"]
    assert target.answer.reference == "none"
    assert any(sentence.startswith("All 3 beat the untrained model (40.") for sentence in target.verdict)
    assert "none" not in target.answer.possible + target.answer.worse
    assert not any("none" in group for group in target.ties)
    assert sum("none" in (c.first, c.second) for c in target.comparisons) == 3


def test_whoever_does_not_beat_the_untrained_model_is_named():
    found = answer_of(run({"full": 0.1, "lora": -0.45, "adapter": 0.1, "none": -0.4}))
    assert found.below_reference == ("lora",)
    assert any(s.startswith("lora does not beat the untrained model (") for s in found.sentences)
    assert any(s.endswith("something is wrong.") for s in found.sentences)


def test_a_suite_of_references_alone_compares_them():
    (target,) = summarise(run({"none": 0.0})).targets
    assert ([c.label for c in target.contenders], target.references) == (["none"], ())
    assert target.answer.pick == "none"


def test_a_strategy_that_scatters_is_named():
    leads = dict.fromkeys(("full", "lora", "adapter", "bitfit", "prefix"), 0.0)
    found = answer_of(run(leads, noise=0.004, level=0.7, prefix=0.06))
    assert list(found.scatter) == ["prefix"]
    assert any("prefix scatters" in sentence for sentence in found.sentences)
    assert answer_of(run(leads)).scatter == {}


def test_a_seed_that_collapsed_is_named():
    records = run(dict.fromkeys(("full", "lora", "adapter", "bitfit", "prefix"), 0.0))
    broken = [
        replace(
            r,
            measurements=tuple(replace(m, value=0.4) if m.name == "accuracy" else m for m in r.measurements),
        )
        if (r.trial["strategy"]["label"], r.trial["seed"]) == ("lora", 3)
        else r
        for r in records
    ]
    found = answer_of(broken)
    assert found.collapsed == {"lora": (3,)}
    assert "lora collapsed on seed 3." in found.sentences
    assert answer_of(records).collapsed == {}


def test_the_simultaneous_intervals_are_wider_than_those_of_one_mean():
    (target,) = summarise(run({"full": 0.0, "lora": 0.0, "adapter": 0.0})).targets
    assert len(target.answer.intervals) == 3
    for c in target.contenders:
        one, own = target.answer.intervals[c.label], c.quantities["accuracy"].estimate
        assert one.low < own.low < own.high < one.high


def test_a_strategy_with_a_lower_error_leads():
    records = [
        replace(
            r,
            measurements=tuple(replace(m, direction="lower") if m.name == "accuracy" else m for m in r.measurements),
        )
        for r in run({"full": -0.5, "lora": -0.3, "adapter": -0.3})
    ]
    found = answer_of(records)
    assert (found.leader, found.possible) == ("full", ("full",))


def test_long_lists_are_counted():
    assert counted(["a", "b"]) == "a and b"
    assert counted(list("abcde")) == "a, b, c, d and e"
    assert counted(list("abcdef")) == "a, b, c and 3 more"
