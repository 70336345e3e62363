"""Throughput of two versions, pair by pair: what is slower, what is too noisy, and what was not measured."""

import math

import pytest
from ftbench.gate.speed import check_speed
from ftbench.records.record_set import Place, read_record_set
from ftbench.suite.suite import Gate

from tests.support.made_runs import copied, of, rewrite, set_value

FULL = Place("digits", "tiny-vit", "full")
GATE = Gate(pairs=3)


@pytest.fixture
def sides(three_seeds, tmp_path):
    """Return a function that sets the throughput of both versions, seed by seed, and reads their records."""

    def made(before, after):
        runs = []
        for name, values in (("base", before), ("head", after)):
            run = copied(three_seeds / "runs" / "tiny", tmp_path / name / "tiny")
            rewrite(run, lambda record, at=values: set_value(record, "throughput", at[record["trial"]["seed"]]))
            runs.append(run)
        return runs

    return made


def judged(runs, gate=GATE):
    base, head = map(read_record_set, runs)
    checks = check_speed(head, base, gate)
    return next(check for check in checks if (check.place, check.metric) == (FULL, "throughput"))


def test_a_version_that_is_slower_in_every_pair_regresses_and_its_means_are_geometric(sides):
    check = judged(sides([100.0, 400.0, 200.0], [50.0, 202.0, 99.0]))
    assert (check.verdict, check.seeds) == ("regressed", (0, 1, 2))
    assert (check.before, check.after) == ((100.0, 400.0, 200.0), (50.0, 202.0, 99.0))
    mean = math.prod((50.0, 202.0, 99.0)) ** (1 / 3)
    assert check.message.startswith(f"200 images/s → {mean:.3g} images/s")
    assert "over 3 pairs run in turn" in check.message


def test_equal_speed_passes_and_a_pair_too_few_decides_nothing(sides):
    runs = sides([100.0, 400.0, 200.0], [100.1, 399.9, 200.1])
    assert judged(runs).verdict == "ok"
    few = judged(runs, Gate(pairs=4))
    assert few.verdict == "inconclusive"
    assert few.message.endswith("a verdict needs at least 4")


def test_what_one_version_has_not_measured_is_missing(sides):
    runs = sides([100.0, 100.0, 100.0], [100.0, 100.0, 100.0])
    rewrite(runs[1], lambda record: set_value(record, "throughput", None), where=of("full", 1))
    check = judged(runs)
    assert check.verdict == "missing"
    assert check.message.startswith("was not measured: ")


def test_trials_that_did_not_succeed_make_no_pair(sides):
    base, head = map(read_record_set, sides([100.0] * 3, [100.0] * 3))
    head.records.pop(FULL)
    assert all(check.place != FULL for check in check_speed(head, base, GATE))
