"""Interquartile means and profiles, against rliable."""

import itertools

import numpy as np
import pytest
from ftbench.stats.aggregates import expected_best, interquartile_interval, interquartile_mean, profile
from hypothesis import given
from hypothesis import strategies as st
from rliable import metrics


@pytest.mark.parametrize("shape", [(3, 10), (5, 11), (10, 7), (1, 2)])
def test_the_interquartile_mean_is_that_of_rliable(shape):
    runs = np.random.default_rng(0).random(shape)
    assert interquartile_mean(runs) == pytest.approx(metrics.aggregate_iqm(runs), abs=1e-12)


def test_its_interval_draws_seeds_within_each_task():
    rng = np.random.default_rng(0)
    runs = rng.random(10) + rng.normal(0, 0.01, (5, 10))
    found = interquartile_interval(runs)
    # rliable's stratified bootstrap, by hand.
    drawn = [
        metrics.aggregate_iqm(np.stack([rng.choice(runs[:, task], 5) for task in range(10)], axis=1))
        for _ in range(2000)
    ]
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=1e-3)
    assert found == interquartile_interval(runs)


def test_a_profile_is_the_share_of_runs_above():
    runs = np.array([[0.2, 0.4], [0.6, 0.8]])
    assert profile(runs, (0.0, 0.4, 0.7, 0.8)) == (1.0, 0.5, 0.25, 0.0)


scores = st.lists(st.floats(-10, 10), min_size=1, max_size=5)


@given(scores, st.integers(1, 4))
def test_it_is_the_mean_of_the_maximum_over_every_draw(values, count):
    draws = [max(draw) for draw in itertools.product(values, repeat=count)]
    assert expected_best(values, count) == pytest.approx(np.mean(draws), abs=1e-9)


@given(scores)
def test_it_grows_from_the_mean_towards_the_best(values):
    found = [expected_best(values, count) for count in range(1, 40)]
    assert found[0] == pytest.approx(np.mean(values), abs=1e-9)
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(found))
    assert found[-1] <= max(values) + 1e-9


@pytest.mark.parametrize(("values", "count"), [([], 1), ([1.0], 0)])
def test_nothing_has_no_expected_best(values, count):
    with pytest.raises(ValueError, match="at least one score and one draw"):
        expected_best(values, count)
