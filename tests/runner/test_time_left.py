"""The time that a run still takes, from the trials that have finished."""

from dataclasses import replace

import pytest
from ftbench.meters import Phase
from ftbench.records.store import Store
from ftbench.runner.time_left import (
    TrialDuration,
    TrialKind,
    estimate_time_left,
    finished_durations,
    rough_duration,
)

from tests.reports.test_page import record

LORA, FULL = TrialKind("digits", "vit", "lora"), TrialKind("digits", "vit", "full")
WORDS = TrialKind("words", "bert", "lora")


def lasted(*pairs):
    return [TrialDuration(kind, float(seconds)) for kind, seconds in pairs]


def test_nothing_is_estimated_before_the_second_trial_has_finished():
    assert estimate_time_left([], [LORA]) is None
    assert estimate_time_left(lasted((LORA, 10)), [LORA]) is None
    assert estimate_time_left(lasted((LORA, 10), (FULL, 30)), [LORA]) == 10


def test_a_trial_takes_as_long_as_those_of_its_strategy_else_of_its_column_else_as_all():
    finished = lasted((LORA, 10), (LORA, 14), (FULL, 60), (WORDS, 100))
    assert estimate_time_left(finished, [LORA]) == 12
    assert estimate_time_left(finished, [LORA._replace(strategy="bitfit")]) == 28  # the mean on digits
    assert estimate_time_left(finished, [LORA._replace(backbone="resnet")]) == 28
    assert estimate_time_left(finished, [LORA._replace(column="speech")]) == 46  # the mean of all


def test_a_larger_backbone_is_a_better_basis_than_the_other_one_in_its_column():
    large = LORA._replace(backbone="vit-large")
    finished = lasted((LORA, 10), (FULL, 20), (large, 300))
    assert estimate_time_left(finished, [large._replace(strategy="full")]) == 300


def test_tuning_trials_are_told_from_those_that_measure_everything():
    finished = lasted((LORA._replace(is_try=True), 5), (LORA, 25))
    assert estimate_time_left(finished, [LORA._replace(is_try=True)] * 3) == 15
    assert estimate_time_left(finished, [LORA]) == 25
    assert estimate_time_left(lasted((LORA._replace(is_try=True), 5), (FULL, 25)), [LORA]) == 5


@pytest.mark.parametrize(("workers", "expected"), [(1, 70), (2, 40), (3, 30), (9, 30)])
def test_trials_side_by_side_start_on_the_worker_that_is_free_first(workers, expected):
    finished = lasted((LORA, 10), (FULL, 30))
    assert estimate_time_left(finished, [LORA, FULL, FULL], workers) == expected


def test_what_running_trials_have_taken_so_far_is_not_left():
    finished = lasted((LORA, 10), (FULL, 30))
    assert estimate_time_left(finished, [FULL, LORA], 1, [12]) == 18 + 10
    assert estimate_time_left(finished, [FULL, LORA], 1, [500]) == 10
    assert estimate_time_left(finished, [FULL, LORA, LORA], 2, [12, 4]) == 18


def test_nothing_left_takes_no_time():
    assert estimate_time_left(lasted((LORA, 10), (LORA, 10)), []) == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "less than 10 s"),
        (41, "about 40 s"),
        (94, "about 90 s"),
        (96, "about 2 min"),
        (370, "about 6 min"),
        (5390, "about 90 min"),
        (2 * 3600, "about 2 h"),
        (7900, "about 2 h 10 min"),
        (3.5 * 86400, "about 3.5 days"),
    ],
)
def test_a_duration_is_as_precise_as_an_estimate(seconds, text):
    assert rough_duration(seconds) == text


def test_durations_are_read_from_a_run_directory_without_its_failed_trials(tmp_path):
    store = Store(tmp_path)
    lasting = (Phase("load", 2.0), Phase("train", 3.0))
    store.commit(replace(record("lora", 0, 0.8), phases=lasting))
    store.commit(replace(record("full", 0, 0.8, status="error"), phases=lasting))
    store.commit(record("prefix", 0, 0.8, status="not-applicable"))
    assert finished_durations(tmp_path) == [TrialDuration(LORA, 5.0)]
    assert finished_durations(tmp_path / "missing") == []


def test_plan_estimates_the_unfinished_trials_once_two_have_finished(tmp_path, ftbench, tiny_suite):
    suite = tiny_suite(("full", "lora"), seeds="[0, 1, 2]")
    assert "time: unknown until 2 trials of this run have finished\n" in ftbench("plan", suite, check=0).stdout
    store = Store(tmp_path / "runs" / "tiny")
    for strategy, seconds in (("full", 240.0), ("lora", 60.0)):
        made = record(strategy, 0, 0.8, backbone="tiny-vit")
        store.commit(replace(made, phases=(Phase("train", seconds),)))
    # Records of other ids, as after a change of the code: they still show how long such trials take.
    planned = ftbench("plan", suite, check=0).stdout
    assert "time: about 15 min for 6 unfinished trials, from 2 finished ones\n" in planned
    suite.write_text(suite.read_text() + '[[task]]\nuse = "digits-0-4"\n')
    planned = ftbench("plan", suite, check=0).stdout
    assert (
        "time: about 30 min for 12 unfinished trials, from 2 finished ones; 6 of them on tasks without any" in planned
    )
    assert "time:" not in ftbench("plan", suite, "--json", check=0).stdout


def test_plan_counts_the_trials_that_the_tuning_will_add(tmp_path, ftbench, tiny_suite):
    suite = tiny_suite(("full",), seeds="[0, 1]", extra="[tuning]\ntries = 3\nseeds = [1000]\ndefaults = false\n")
    store = Store(tmp_path / "runs" / "tiny")
    for seed in (0, 1):
        store.commit(replace(record("full", seed, 0.8, backbone="tiny-vit"), phases=(Phase("train", 60.0),)))
    assert "time: about 5 min for 5 unfinished trials" in ftbench("plan", suite, check=0).stdout
