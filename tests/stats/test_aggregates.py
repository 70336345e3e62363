"""Interquartile means and profiles, against rliable."""

import numpy as np
import pytest
from ftbench.stats.aggregates import interquartile_interval, interquartile_mean, profile
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
    drawn = [metrics.aggregate_iqm(np.stack([rng.choice(runs[:, task], 5) for task in range(10)], axis=1)) for _ in range(2000)]
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=1e-3)
    assert found == interquartile_interval(runs)


def test_a_profile_is_the_share_of_runs_above():
    runs = np.array([[0.2, 0.4], [0.6, 0.8]])
    assert profile(runs, (0.0, 0.4, 0.7, 0.8)) == (1.0, 0.5, 0.25, 0.0)
