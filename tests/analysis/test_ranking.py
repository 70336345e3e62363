"""Strategies over the tasks of a run."""

import numpy as np
import pytest
from ftbench.reporting import summarise

from tests.support.made_records import record


def run(tasks, strategies=("a", "b", "c"), seeds=3, gap=0.05, noise=0.005, seed=0):
    rng = np.random.default_rng(seed)
    return [
        record(name, number, 0.5 + gap * place + rng.normal(0, noise), target=f"task-{task:02}")
        for task in range(tasks)
        for place, name in enumerate(strategies)
        for number in range(seeds)
    ]


def ranking(records):
    return summarise(records).ranking


def test_the_best_everywhere_has_rank_one():
    found = ranking(run(4))
    assert [(entry.strategy, entry.rank) for entry in found.entries] == [("c", 1.0), ("b", 2.0), ("a", 3.0)]
    assert (found.entries[0].interval.low, found.entries[0].interval.high) == (1.0, 1.0)
    assert (found.tasks, found.of) == (("task-00", "task-01", "task-02", "task-03"), 4)
    assert found.friedman.p == pytest.approx(6**-3)


def test_few_tasks_make_no_groups_and_say_why():
    found = ranking(run(4))
    assert (found.groups, found.critical_difference) == ((), None)
    assert "4 tasks are too few to find significant differences between 3 strategies" in found.undiagrammed
    assert "7 tasks are enough" in found.undiagrammed
    assert "need 10 tasks of 3 seeds; these are 4 of 3" in found.unprofiled
    assert found.undiagrammed in found.remarks
    assert any("too narrow" in remark for remark in found.remarks)


def test_enough_tasks_make_groups_and_profiles():
    found = ranking(run(12, gap=0.05))
    assert found.groups == ()
    assert found.critical_difference == pytest.approx(2.343 * (3 * 4 / (6 * 12)) ** 0.5, abs=0.001)
    tied = ranking(run(12, gap=0.0))
    assert tied.groups == (tuple(entry.strategy for entry in tied.entries),)
    best = found.entries[0]
    assert best.interquartile_interval.low < best.interquartile_mean < best.interquartile_interval.high
    assert best.interquartile_mean == pytest.approx(0.6, abs=0.01)
    assert (best.profile[0], best.profile[25], best.profile[-1]) == (1.0, 1.0, 0.0)
    assert (found.undiagrammed, found.unprofiled) == ("", "")
    assert found.possible == ("c",)
    assert found.remarks == ("Could be the best on average over these tasks, 95 % sure: c.",)
    assert set(tied.possible) == {"a", "b", "c"}


def test_only_what_is_complete_is_ranked_and_nothing_is_made_up():
    records = [*run(5), *(record("d", seed, 0.99, target="task-00") for seed in range(3))]
    records = [r for r in records if not (r.trial["target"] == "task-04" and r.trial["strategy"]["label"] in "bc")]
    found = ranking(records)
    assert {entry.strategy for entry in found.entries} == {"a", "b", "c"}
    assert found.tasks == ("task-00", "task-01", "task-02", "task-03")
    assert found.left_out == {"d": 1}
    assert {entry.strategy: entry.scored for entry in found.entries} == {"a": 5, "b": 4, "c": 4}
    assert any(remark.startswith("Ranked on 4 of 5 tasks") for remark in found.remarks)
    assert any("d (1 of 5)" in remark for remark in found.remarks)


def test_a_failed_seed_is_left_out_for_all():
    failed = [
        record("a", 0, 0.0, status="oom", target="task-01")
        if (r.trial["strategy"]["label"], r.trial["seed"], r.trial["target"]) == ("a", 0, "task-01")
        else r
        for r in run(2)
    ]
    assert ranking(failed).seeds == {"task-00": 3, "task-01": 2}


def test_one_task_or_one_strategy_has_no_ranking():
    failed = [record("a", seed, 0.0, status="error", target=f"t{task}") for task in range(2) for seed in range(2)]
    for records in (run(1), run(3, strategies=("a",)), [], failed):
        found = ranking(records)
        assert found.entries == ()
        assert found.reason.startswith("No ranking over tasks")
        assert found.remarks == (found.reason,)


def test_one_seed_says_what_the_intervals_leave_out():
    assert any("only one seed" in remark for remark in ranking(run(3, seeds=1)).remarks)
    assert ranking(run(2, strategies=("a", "b"))).friedman is None


def test_backbones_are_averaged_within_a_task():
    records = [
        record(name, seed, score, target=f"t{task}", backbone=backbone)
        for task in range(2)
        for seed in range(3)
        for name, backbone, score in (("a", "x", 0.9), ("a", "y", 0.1), ("b", "x", 0.6), ("b", "y", 0.6))
    ]
    assert [(entry.strategy, entry.rank) for entry in ranking(records).entries] == [("b", 1.0), ("a", 2.0)]
