"""Statistics against scipy, and against simulation."""

import numpy as np
import pytest
from ftbench.stats import estimate, lower_bound, paired, upper_bound
from ftbench.stats.estimates import all_paired, sign_flip
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

_scores = st.lists(st.floats(0, 1), min_size=2, max_size=12)


@settings(deadline=None)
@given(_scores)
def test_an_interval_is_scipys(values):
    found = estimate(values)
    if np.std(values) < 1e-9:
        assert found.low == pytest.approx(found.mean, abs=1e-7)
        return
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))


def test_one_or_two_seeds_support_no_claim_and_one_has_no_interval():
    found = estimate([0.5])
    assert (found.mean, found.n, found.low, found.high) == (0.5, 1, None, None)
    assert paired([0.5], [0.9]).verdict == paired([0.5, 0.6], [0.9, 0.95]).verdict == "too few seeds"


def test_no_values_and_values_that_are_no_numbers_are_refused():
    for values in ([], [0.5, float("nan")], [float("inf")]):
        with pytest.raises(ValueError, match="at least one finite value"):
            estimate(values)
    with pytest.raises(ValueError, match="same seeds"):
        paired([1.0], [1.0, 2.0])


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=10))
def test_a_paired_test_is_scipys(pairs):
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    if np.std(second - first) < 1e-9:
        return
    expected = stats.ttest_rel(second, first)
    found = paired(first.tolist(), second.tolist())
    interval = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue, abs=1e-9)
    assert (found.estimate.low, found.estimate.high) == (
        pytest.approx(interval.low, abs=1e-9),
        pytest.approx(interval.high, abs=1e-9),
    )


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 5), st.sampled_from([1, 12]), st.booleans())
def test_many_pairs_at_once_are_what_each_is_alone(seed, n, pairs, digits, lower):
    first, second = (np.round(np.random.default_rng([seed, side]).random((n, pairs)), digits) for side in (0, 1))
    alone = [paired(first[:, place].tolist(), second[:, place].tolist(), 0.1, lower=lower) for place in range(pairs)]
    assert all_paired(first, second, 0.1, lower=lower) == alone


def test_the_four_verdicts():
    base = [0.80, 0.81, 0.79, 0.80, 0.80]
    assert (
        paired(base, [v + 0.05 + d for v, d in zip(base, (0, 0.001, -0.001, 0.002, 0), strict=True)]).verdict
        == "better"
    )
    assert (
        paired(base, [v - 0.05 + d for v, d in zip(base, (0, 0.001, -0.001, 0.002, 0), strict=True)]).verdict == "worse"
    )
    assert (
        paired(base, [v + d for v, d in zip(base, (0, 0.001, -0.001, 0.001, 0), strict=True)]).verdict == "equivalent"
    )
    assert (
        paired(base, [v + d for v, d in zip(base, (0.05, -0.05, 0.02, -0.03, 0), strict=True)]).verdict == "undecided"
    )


def test_identical_scores_are_equivalent():
    assert (paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]).p, paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]).verdict) == (
        1.0,
        "equivalent",
    )


def test_a_lead_that_is_the_same_on_every_seed_has_no_p_value_and_no_verdict():
    # In floating point 0.9 - 0.8, 0.7 - 0.6 and 0.5 - 0.4 differ in their last bits, which would be a t of 10¹⁵.
    found = paired([0.8, 0.6, 0.4], [0.9, 0.7, 0.5])
    assert (found.p, found.verdict, found.estimate.deviation) == (None, "undecided", 0.0)
    assert found.estimate.mean == pytest.approx(0.1)


def test_the_margin_decides_what_is_equivalent():
    first, second = [0.80, 0.81, 0.79, 0.80, 0.82], [0.81, 0.83, 0.80, 0.82, 0.83]
    assert paired(first, second, 0.005).verdict == "better"
    assert paired(first, second, 0.03).verdict == "equivalent"
    assert paired(first, second, 0.03).margin == 0.03


@pytest.mark.parametrize("seed", range(25))
def test_equivalence_is_statsmodels_two_one_sided_tests(seed):
    rng = np.random.default_rng(seed)
    first = rng.normal(0.8, 0.02, 5)
    second = first + rng.normal(0, 0.006, 5)
    p = ttost_paired(second, first, -0.01, 0.01)[0]
    assert (paired(first.tolist(), second.tolist(), 0.01).verdict == "equivalent") == (p < 0.05)


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12), st.floats(0.001, 0.4))
def test_one_sided_bounds_are_scipys(differences, alpha):
    if np.std(differences) < 1e-9:
        return
    for side, bound in (("greater", lower_bound), ("less", upper_bound)):
        interval = stats.ttest_1samp(differences, 0, alternative=side).confidence_interval(1 - alpha)
        expected = interval.low if side == "greater" else interval.high
        assert bound(differences, alpha) == pytest.approx(expected, abs=1e-9)


def test_one_seed_bounds_nothing():
    assert (lower_bound([0.1]), upper_bound([0.1])) == (-np.inf, np.inf)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(-1000, 1000).map(lambda items: items / 1000), min_size=6, max_size=8))
def test_a_sign_flip_permutation_is_scipys(differences):
    expected = stats.permutation_test(
        (np.array(differences),), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=False
    )
    assert sign_flip(differences) == pytest.approx(expected.pvalue, abs=1e-9)


def test_a_sign_flip_permutation_needs_six_seeds_and_is_drawn_where_there_are_many():
    assert sign_flip([1.0, 2.0, 3.0, 4.0, 5.0]) is None
    assert sign_flip([1.0] * 6) == 2 / 2**6
    many = np.random.default_rng(0).normal(0.5, 1, 24).tolist()
    expected = stats.permutation_test(
        (np.array(many),), np.mean, permutation_type="samples", vectorized=True, n_resamples=5_000, rng=1
    )
    assert sign_flip(many) == sign_flip(many) == pytest.approx(expected.pvalue, abs=0.01)


def test_intervals_cover_95_percent():
    rng = np.random.default_rng(0)
    for n in (3, 5, 10):
        hits = 0
        for _ in range(2000):
            found = estimate(rng.normal(size=n).tolist())
            hits += found.low <= 0 <= found.high
        assert 0.93 <= hits / 2000 <= 0.97
