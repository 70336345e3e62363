"""Intervals that stay inside the range of their quantity."""

import math

import numpy as np
import pytest
from ftbench.stats import estimate
from ftbench.stats.estimates import Estimate, t_quantile
from ftbench.stats.intervals import ANY, POSITIVE, SHARE, Range, interval_of, moderated_estimates
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint


def test_without_bounds_it_is_the_t_interval():
    found = estimate([0.2, 0.5, 0.4])
    ends = interval_of(found, ANY)
    assert (ends.low, ends.high) == pytest.approx((found.low, found.high))
    assert interval_of(estimate([0.5]), SHARE) is None


def test_between_bounds_it_is_symmetric_on_the_logit_scale():
    found = Estimate(0.9, 5, None, None, 0.02, 0.01, 8.0)
    ends = interval_of(found, SHARE)
    logit = [math.log(p / (1 - p)) for p in (ends.low, 0.9, ends.high)]
    half = t_quantile(8, 0.975) * 0.01 / (0.9 * 0.1)
    assert [logit[1] - logit[0], logit[2] - logit[1]] == pytest.approx([half, half])
    moved = interval_of(Estimate(0.8, 5, None, None, 0.04, 0.02, 8.0), Range(-1.0, 1.0))
    assert (moved.low, moved.high) == pytest.approx((2 * ends.low - 1, 2 * ends.high - 1))


def test_above_zero_it_is_symmetric_on_the_logarithmic_scale():
    ends = interval_of(Estimate(2.0, 3, None, None, 3.0), POSITIVE)
    assert ends.low > 0
    assert ends.low * ends.high == pytest.approx(4.0)
    below = interval_of(Estimate(0.5, 3, None, None, 0.1), Range(None, 1.0))
    assert below.high < 1


@pytest.mark.parametrize("items", [1, 20, 1000])
def test_all_right_and_all_wrong_get_wilson_s_interval_of_the_items(items):
    right = interval_of(estimate([1.0, 1.0]), SHARE, items=items)
    low, high = proportion_confint(items, items, method="wilson")
    assert (right.low, right.high) == pytest.approx((low, high))
    wrong = interval_of(estimate([0.0, 0.0]), SHARE, items=items)
    assert (wrong.low, wrong.high) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=6),
    st.integers(0, 50),
    st.sampled_from([SHARE, POSITIVE, Range(-1.0, 1.0), Range(None, 1.0)]),
)
def test_no_interval_leaves_its_range_or_misses_its_mean(values, items, within):
    found = estimate(values)
    ends = interval_of(found, within, items=items)
    slack = 1e-9 * (1 + abs(found.mean))
    assert ends.low - slack <= found.mean <= ends.high + slack
    assert within.holds(ends.low)
    assert within.holds(ends.high)


def test_a_value_outside_the_range_shows_that_it_is_not_the_range():
    assert interval_of(estimate([1.1, 1.3]), SHARE).high > 1.3


def test_one_or_two_strategies_have_their_own_variance_and_one_step_of_it_at_least():
    alone, *_ = moderated_estimates([[0.8, 0.82, 0.84]], step=0.01)
    assert (alone.error, alone.df) == (pytest.approx(0.02 / 3**0.5), 2)
    equal, other = moderated_estimates([[0.8, 0.8], [0.8, 0.9]], step=0.01)
    assert (equal.deviation, equal.error) == (0, pytest.approx(0.01 / 2**0.5))
    assert other.df == 1


def test_many_strategies_inform_each_other():
    rng = np.random.default_rng(0)
    scores = [(0.8 + rng.normal(0, 0.02, 3)).tolist() for _ in range(10)] + [[0.2, 0.6, 0.9], [0.5]]
    found = moderated_estimates(scores)
    assert all(2 < one.df <= 22 for one in found[:11])
    errors = [one.error * 3**0.5 for one in found[:10]]
    assert np.ptp(errors) < np.ptp([np.std(own, ddof=1) for own in scores[:10]])
    # One that scatters far more keeps its own variance; one seed has none.
    assert found[10].error >= found[10].deviation / 3**0.5 * (1 - 1e-12)
    assert found[11].error is None
