"""Detectable effects of a plan, from what is known of the noise."""

import json

import numpy as np
import pytest
from ftbench.analysis.forecast import CALIBRATION, foresee_effects
from ftbench.records.store import Store
from ftbench.stats import detectable

from tests.support.made_records import record


def written(folder, seeds, noise=0.01):
    rng = np.random.default_rng(0)
    store = Store(folder)
    for name in ("full", "lora", "bitfit"):
        for seed in range(seeds):
            store.commit(record(name, seed, 0.8 + rng.normal(0, noise)))
    return folder


def test_the_noise_is_that_of_the_records(tmp_path):
    (seen,) = foresee_effects(written(tmp_path, 40), [("digits", seed) for seed in range(5)])
    assert (seen.target, seen.metric, seen.unit, seen.seeds) == ("digits", "accuracy", "1", 5)
    assert seen.noise.s_d == pytest.approx(0.01 * 2**0.5, rel=0.2)
    # The other pairs inform each difference: at most (3 − 1)·(5 − 1) degrees of freedom instead of 4.
    assert seen.noise.df(5) == pytest.approx(8)
    assert seen.detectable == pytest.approx(detectable(5, df=8) * seen.noise.s_d)
    assert seen.in_deviations == pytest.approx(detectable(5, df=8))
    assert seen.noise.source == "median of 2 comparisons with the baseline"


def test_a_calibration_counts_more_than_records(tmp_path):
    written(tmp_path, 5)
    (tmp_path / CALIBRATION).write_text(json.dumps({"digits": {"accuracy": {"s_d": 0.5, "n": 7}}}))
    (seen,) = foresee_effects(tmp_path, [("digits", 0), ("digits", 1), ("digits", 2)])
    assert (seen.noise.s_d, seen.noise.source) == (0.5, "calibration over 7 re-seeded pairs")


def test_without_a_run_the_noise_is_unknown_and_two_seeds_find_something_if_others_inform_them(tmp_path):
    one, other = foresee_effects(tmp_path / "nowhere", [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)])
    assert (one.noise, one.detectable, other.noise) == (None, None, None)
    assert other.in_deviations == pytest.approx(3.26, abs=0.01)
    (seen,) = foresee_effects(written(tmp_path, 3), [("digits", 0), ("digits", 1)])
    assert seen.detectable == pytest.approx(detectable(2, df=2) * seen.noise.s_d)


def test_plan_says_it_and_needs_no_torch(tmp_path, ftbench, tiny_suite):
    suite = tiny_suite(seeds="[0, 1, 2]")
    said = ftbench("plan", suite, check=0).stdout
    assert "digits: noise unknown; 3 seeds detect a difference of 3.26 standard deviations with 80 % power" in said
    written(tmp_path / "runs" / "tiny", 5)
    said = ftbench("plan", suite, check=0).stdout
    assert "digits: 3 seeds detect a difference of " in said
    assert "points in accuracy with 80 % power (standard deviation of a difference " in said
    rows = [json.loads(line) for line in ftbench("plan", suite, "--json", check=0).stdout.splitlines()]
    assert all(row["detectable"] == pytest.approx(detectable(3, df=4) * row["s_d"], rel=1e-3) for row in rows)
    one = ftbench("plan", tiny_suite(name="one", seeds="[0]"), check=0).stdout
    assert "digits: 1 seed cannot detect a difference; at least 3 are needed" in one
